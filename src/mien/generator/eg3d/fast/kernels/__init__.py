"""Kernels compiled by numba, for processors. Import them only where numba is installed.

`no_type_check` keeps run-time shape checks, which numba cannot compile, away from them.
"""
