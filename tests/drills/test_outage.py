"""The short version of the drill of a provider that answers nothing but 503; nothing here is judged by its time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connections.transport.limits.circuit_breaker import OPENING_FAILURES
from tests.drills import short
from tests.drills.outage import BURST, MOST_A_MINUTE, Figures, verdict

pytestmark = [*short.MARKS, pytest.mark.split]


def test_a_provider_in_trouble_is_left_alone_and_nobody_is_broken_by_it():
    figures = short.figures_of("outage", "--short")
    # Each connection may have a call on its way when the last failure that it takes is counted.
    assert OPENING_FAILURES <= figures["calls_before_opening"] <= OPENING_FAILURES + 2 * figures["connections"]
    assert figures["calls_while_open"] <= MOST_A_MINUTE
    assert figures["broken"] == 0
    first, *_ = figures["calls_by_five_seconds"]
    assert 0 < first <= BURST


def test_what_was_not_kept_is_said():
    good = Figures(8, 10, most_in_a_minute=5, noticed_after_s=60.0, calls_by_five_seconds=(10, 20, 40))
    bad = Figures(8, 10, most_in_a_minute=6, noticed_after_s=60.1, calls_by_five_seconds=(10, 20, 41), broken=1)
    assert verdict(good, in_time=True) == []
    assert len(verdict(bad, in_time=True)) == 4
    assert len(verdict(bad, in_time=False)) == 2
    assert len(verdict(replace(bad, most_while_open=6), in_time=False)) == 3
