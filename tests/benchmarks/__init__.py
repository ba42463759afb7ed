"""Benchmarks: ratios between contestants of one run, because machines differ."""
