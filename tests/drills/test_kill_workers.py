"""The short version of the kill drill."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.sandbox_server import REPOSITORY

pytestmark = [pytest.mark.drill, pytest.mark.split, pytest.mark.timeout(240)]


def test_killed_syncs_go_on_by_themselves_and_lose_nothing():
    command = [sys.executable, "-m", "tests.drills.kill_workers", "--kills", "5", "--latency-ms", "20", "--json"]
    drill = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=230)
    assert drill.returncode == 0, drill.stdout[-2000:] + drill.stderr[-3000:]
    figures = json.loads(drill.stdout.splitlines()[-1])
    assert figures["kills"] == len(figures["taken_up_after"]) == 5
    assert (figures["lost"], figures["doubled"]) == (0, 0)
    assert max(figures["taken_up_after"]) < 15
