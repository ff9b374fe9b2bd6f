"""Heads pasted back into the whole photo at its own resolution."""
