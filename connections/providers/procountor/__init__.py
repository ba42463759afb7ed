"""Procountor (Finland)."""
