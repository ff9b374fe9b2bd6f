"""mien-bench: a frontal picture of a head whose truth is known is inverted, and then seen from elsewhere."""
