"""Inversion into an EG3D generator: W, then pivotal tuning; and the avatar file that comes of it."""
