"""Measuring results: identity, pose, expression, jitter, cost."""
