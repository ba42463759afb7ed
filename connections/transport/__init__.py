"""Calls to providers: the only room that uses the network."""
