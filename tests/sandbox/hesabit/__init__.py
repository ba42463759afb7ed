"""Hesabit's simulator, judged by what its document says."""
