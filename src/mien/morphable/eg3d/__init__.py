"""Photos to the crops and cameras of EG3D."""
