"""Lets the garbage collector look at what tests make, and no more at the thousands of tests themselves.

Named in pytest's `addopts`. With Python's own thresholds a quarter of a run's processor time goes into walking objects
that stay until its end: the modules, and a node for each test.
"""

from __future__ import annotations

import gc

import pytest

THRESHOLDS = (50_000, 20, 100)

gc.set_threshold(*THRESHOLDS)


def pytest_collection_finish(session: pytest.Session) -> None:
    gc.collect()
    gc.freeze()
