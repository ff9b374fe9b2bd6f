"""Faces in photos and videos: landmarks, expression coefficients, head pose, and the person's alpha."""
