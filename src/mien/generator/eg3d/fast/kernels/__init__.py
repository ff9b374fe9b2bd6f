"""Kernels compiled by numba, for processors. Import them only where numba is installed (extra `fast`)."""
