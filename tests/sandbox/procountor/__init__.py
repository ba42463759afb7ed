"""Procountor's simulator: what stands besides the M2M flow with a pasted key."""
