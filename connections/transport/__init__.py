"""Calls to providers: the only package that uses the network."""
