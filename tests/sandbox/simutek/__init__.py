"""Tests of the simulated Simutek GKS4."""
