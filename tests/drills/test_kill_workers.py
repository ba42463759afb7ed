"""The short version of the kill drill."""

from __future__ import annotations

import pytest

from tests.drills import short

pytestmark = [*short.MARKS, pytest.mark.split]


def test_killed_syncs_go_on_by_themselves_and_lose_nothing():
    figures = short.figures_of("kill_workers", "--kills", "5", "--latency-ms", "20")
    assert figures["kills"] == len(figures["taken_up_after"]) == 5
    assert (figures["lost"], figures["doubled"]) == (0, 0)
    assert max(figures["taken_up_after"]) < 15
