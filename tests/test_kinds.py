"""How tests are told apart: which may run in several workers, and that only those start processes that say so."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.kinds import NoProcesses, group_of


def test_tests_stay_with_what_they_share() -> None:
    assert group_of("tests/vault/test_binding.py::test_a") == "tests/vault/test_binding.py"
    assert group_of("tests/journeys/test_connect.py::test_a") == "tests/journeys"  # one running demo for all
    assert group_of("tests/journeys/test_every_provider.py::test_b[x]") == "tests/journeys"
    assert group_of("tests/drills/test_outage.py::test_a[x]") == "tests/drills/test_outage.py::test_a[x]"


def test_a_test_that_starts_a_process_unsaid_fails() -> None:
    guard = NoProcesses()
    guard.stands = True
    try:
        with pytest.raises(AssertionError, match="mark the test `process`"):
            subprocess.run([sys.executable, "-c", ""], check=True)
        subprocess.run(["openssl", "version"], check=True, capture_output=True)
    finally:
        guard.stands = False
