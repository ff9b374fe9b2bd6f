"""Compiled loops of the head model. Imported only where numba is."""
