"""Glasses in a photo: whether any are worn, their shape on the fitted head, their colours."""
