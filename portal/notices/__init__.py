"""Mail: sealed when asked for, sent by a worker."""
