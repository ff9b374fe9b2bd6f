"""Learning to see glasses, from procedural heads with and without them."""
