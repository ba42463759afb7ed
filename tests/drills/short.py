"""Runs the short version of a drill, and gives its figures."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.sandbox_server import REPOSITORY

# Only what hangs is ended: how long a drill takes on a busy machine says nothing about what it found.
DRILL_SECONDS = 900
MARKS = [pytest.mark.drill, pytest.mark.timeout(DRILL_SECONDS + 30)]


def lines_of(name: str, *options: str) -> list[str]:
    """What the drill printed. Fails with the end of it where the drill failed."""
    command = [sys.executable, "-m", f"tests.drills.{name}", *options]
    drill = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=DRILL_SECONDS)
    assert drill.returncode == 0, drill.stdout[-4000:] + drill.stderr[-3000:]
    return drill.stdout.splitlines()


def figures_of(name: str, *options: str) -> Any:
    """The figures that a drill prints as JSON in its last line."""
    return json.loads(lines_of(name, *options, "--json")[-1])
