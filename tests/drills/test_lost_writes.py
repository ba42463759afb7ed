"""The short version of the drill of lost writes: every fate once, where a look finds what was lost and where none does."""

from __future__ import annotations

import pytest

from tests.drills import short
from tests.drills.targets import FATES

pytestmark = [*short.MARKS, pytest.mark.split]


@pytest.mark.parametrize("target", ["double", "orders"])
def test_lost_writes_are_found_or_left_to_a_person_and_never_doubled(target):
    sizes = ("--count", str(2 * len(FATES)), "--fine", "1")
    figures = short.figures_of("lost_writes", "--target", target, "--seed", "3", *sizes)
    assert figures["writes"] == 2 * len(FATES)
    assert (figures["doubled"], figures["silently_lost"], figures["wrongly_given_up"]) == (0, 0, 0)
    assert (figures["found_by_look_up"] >= 5) == (target == "double")
    assert 0 < figures["sent_again"] <= figures["waiting_for_a_person"]
    assert figures["child_kills"] > 0
    assert figures["worker_kills"] > 0
