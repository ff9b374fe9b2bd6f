"""Training of the geometry encoder, see `mien.morphable.encoder`."""
