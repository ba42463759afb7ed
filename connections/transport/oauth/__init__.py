"""Tokens: asked for, stored, renewed, given back; sign-in at a provider."""
