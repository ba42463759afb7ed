"""The short version of the drill of hostile answers: every behaviour, with short deadlines that a busy machine may miss."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter

import pytest

from tests.sandbox_server import REPOSITORY

pytestmark = [pytest.mark.drill, pytest.mark.split, pytest.mark.timeout(400)]


def test_every_hostile_behaviour_ends_soon_in_little_memory_with_words():
    command = [sys.executable, "-m", "tests.drills.hostile", "--total", "1.5", "--grace", "20", "--json"]
    drill = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=390)
    assert drill.returncode == 0, drill.stdout[:4000] + drill.stderr[-3000:]
    outcomes = json.loads(drill.stdout.splitlines()[-1])
    groups = Counter(each["group"] for each in outcomes)
    assert groups.keys() >= {"time", "size", "redirects", "encodings", "json", "xml", "pages", "protocol", "token"}
    assert len(outcomes) >= 100
    assert all(each["fault"] and not each["wrong"] for each in outcomes)
