"""The engine: whose row it is, what is kept, how to talk, when and what. Knows nothing of the site that stands on it."""
