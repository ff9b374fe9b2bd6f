"""Random people with exact factors, drawn as a camera would see them."""
