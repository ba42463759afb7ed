"""Breaks the code on which secrets, quotas and tenants depend in small ways, and counts how many its tests notice.

`python -m tests.mutation [module ...] [--sample N --seed S]`; docs/mutation.md tells what is broken and what survives.
"""
