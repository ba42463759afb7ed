"""Template tags about what is to come."""
