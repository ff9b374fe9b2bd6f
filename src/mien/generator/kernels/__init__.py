"""Compiled loops of mien-base's renderer. Imported only where numba is."""
