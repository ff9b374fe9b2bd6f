"""From a person, an expression and a camera to a picture and what lies behind each of its pixels."""
