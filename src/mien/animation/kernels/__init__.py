"""Compiled loops of animation. Imported only where numba is."""
