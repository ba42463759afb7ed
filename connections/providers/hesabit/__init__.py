"""Hesabit (Iran)."""
