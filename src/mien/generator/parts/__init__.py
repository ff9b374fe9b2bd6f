"""Random people put together from the parts of drawn heads."""
