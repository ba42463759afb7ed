"""Kuvitelma, an accounting API that does not exist."""
