"""Avatars of EG3D generators in motion: deformed mode, drawn through the photo's own camera."""
