"""Pentamic (Vietnam)."""
