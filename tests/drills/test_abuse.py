"""The short version of the abuse drill: every limit holds, and none stands in an honest person's way."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.drills.abuse import BEFORE, Flood
from tests.sandbox_server import REPOSITORY

pytestmark = [pytest.mark.drill, pytest.mark.split, pytest.mark.timeout(300)]


def test_floods_are_stopped_and_honest_use_is_not():
    command = [sys.executable, "-m", "tests.drills.abuse", "--short", "--json"]
    drill = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=290)
    assert drill.returncode == 0, drill.stdout[-4000:] + drill.stderr[-3000:]
    figures = json.loads(drill.stdout.splitlines()[-1])
    floods = [Flood(**each) for each in figures["floods"]]
    assert {each.what for each in floods} >= set(BEFORE)
    for what in BEFORE:
        assert any(each.tries > each.most for each in floods if each.what == what), f"no limit was reached: {what}"
    assert [each for each in floods if each.through > each.most] == []
    assert [each for each in figures["honest"] if each["refused"]] == []
    assert {each["what"]: each["done"] for each in figures["honest"]}["an office connects 60 companies"] == 120


def test_a_limit_that_does_not_hold_is_said():
    held = Flood("connections", "owner", 300, 120, 120, 300)
    assert not held.is_wrong
    assert Flood("connections", "owner", 300, 121, 120, 300).is_wrong
    assert Flood("connections", "viewer", 300, 1, 0, 300).is_wrong
    assert Flood("connections", "owner", 300, 0, 120, 300).is_wrong, "a door that is always shut"
