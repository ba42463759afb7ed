"""What somebody wants done: single calls of a provider's operations, and what became of each."""
