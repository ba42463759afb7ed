"""The short version of the drill of half-open connections: everything is answered, however late on a busy machine."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.sandbox_server import REPOSITORY

pytestmark = [pytest.mark.drill, pytest.mark.split]


@pytest.mark.timeout(120)
def test_a_page_and_the_probes_are_answered_beside_half_open_and_dribbling_connections():
    command = [sys.executable, "-m", "tests.drills.half_open", "--short"]
    drill = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=110)
    assert drill.returncode == 0, drill.stdout[-2000:] + drill.stderr[-3000:]
    assert drill.stdout.count("   none\n") == 6
