"""People by name: what can be asked for, drawn, edited and read."""
