"""Painting a person's appearance onto the atlas and its strip of islands."""
