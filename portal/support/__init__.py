"""What staff look at: connections, runs, the request log."""
