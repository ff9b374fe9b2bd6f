"""Foundations: cameras, geometry, checkpoints, assets, devices, errors. Imports nothing else of mien."""
