"""How often something may be done, and the cache of JSON values that sign-in counts and replay marks stand in."""
