"""The short version of the drill of hostile answers: every behaviour, with short deadlines that a busy machine may miss."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.drills import short

pytestmark = [*short.MARKS, pytest.mark.split]


def test_every_hostile_behaviour_ends_soon_in_little_memory_with_words():
    outcomes = short.figures_of("hostile", "--total", "1.5", "--grace", "20")
    groups = Counter(each["group"] for each in outcomes)
    assert groups.keys() >= {"time", "size", "redirects", "encodings", "json", "xml", "pages", "protocol", "token"}
    assert len(outcomes) >= 100
    assert all(each["fault"] and not each["wrong"] for each in outcomes)
