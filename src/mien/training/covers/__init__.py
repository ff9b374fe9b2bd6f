"""Learning to see what hides a face, from procedural heads with hands and things before them."""
