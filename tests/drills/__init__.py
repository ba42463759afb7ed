"""Drills: real processes that are killed, stopped and cut off, and the books compared afterwards."""
