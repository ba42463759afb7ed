"""The words a provider is described in: typed data and small strategies."""
