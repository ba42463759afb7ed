"""The customer's pages about what is connected: home, one connection, one run."""
