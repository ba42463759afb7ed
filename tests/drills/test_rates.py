"""The short version of the drill of the limits: some processes, a restart, a crash and a budget; without a stop-watch."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.drills import short
from tests.drills.rates import Line, unplaced, verdict

pytestmark = [*short.MARKS, pytest.mark.split]
PEACE = Line("peace", 60, 3600, 0, 60, 3600, 0, 0, 60, 0, (1.0, 2.0), 0.95, 0, 0)


def test_nothing_is_over_a_limit_whatever_becomes_of_the_database():
    line, budget = short.figures_of("rates", "--short")
    assert (line["granted_over"], line["unplaced"], budget["sent_over"]) == (0, 0, 0)
    assert line["sent"] > line["limit"], "not a second's worth of calls: nothing was at its limit"
    assert budget["came_back_later"] > 0
    assert min(line["database_gone"], budget["database_gone"]) > 0


def test_what_was_not_kept_is_said():
    budget = replace(PEACE, name="budget", limit=20_000, sent=20_000, share=1.0, came_back_later=20)
    assert verdict([PEACE, budget], in_time=True) == []
    over, early, unseen = replace(budget, sent_over=1), replace(PEACE, early=1), replace(budget, came_back_later=0)
    for bad in (replace(PEACE, granted_over=1), replace(PEACE, unplaced=1), over, early, unseen):
        assert len(verdict([bad], in_time=False)) == 1, bad
    for slow in (replace(PEACE, sent_over=1), replace(PEACE, share=0.949)):
        assert len(verdict([slow], in_time=True)) == 1, slow
        assert verdict([slow], in_time=False) == []
    assert len(verdict([replace(budget, sent=19_991)], in_time=True)) == 1


def test_a_call_needs_a_place_of_its_own():
    assert unplaced([1.0, 2.0], [1.0, 2.0, 3.0]) == 0
    assert unplaced([1.0, 1.0, 4.0], [1.0, 2.0]) == 2
