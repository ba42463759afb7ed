"""Simutek GKS4 (Sweden)."""
