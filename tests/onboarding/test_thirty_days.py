"""The short form of the thirty days of the watch."""

from __future__ import annotations

from typing import Any

import pytest

from tests.onboarding.test_engine import live, walker
from tests.onboarding.test_watch import Nights, nights, office, world
from tests.onboarding.thirty_days import Month

__all__ = ["live", "nights", "office", "walker", "world"]  # fixtures
pytestmark = pytest.mark.usefixtures("committed_db")


def test_each_change_is_seen_and_mailed_in_its_night_and_no_outage_is(nights: Nights, alice: Any, bob: Any) -> None:
    figures = Month(nights, alice, bob, days=9, connections=7, changes=6, outages=2).pass_all()
    assert figures.wrong == []
    assert (figures.planted, figures.reopened, figures.outages) == (6, 6, 2)
    assert (figures.reopened_by_an_outage, figures.mails_after_unsubscribing) == (0, 0)
    assert figures.mails_opened == 6
