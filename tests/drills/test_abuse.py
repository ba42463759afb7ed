"""The short version of the abuse drill: every limit holds, and none stands in an honest person's way."""

from __future__ import annotations

import pytest

from tests.drills import short
from tests.drills.abuse import BEFORE, Flood

pytestmark = [*short.MARKS, pytest.mark.split]


def test_floods_are_stopped_and_honest_use_is_not():
    figures = short.figures_of("abuse", "--short")
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
