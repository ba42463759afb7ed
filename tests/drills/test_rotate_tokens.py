"""The short version of the drill of the rotating tokens."""

from __future__ import annotations

import pytest

from tests.drills import short

pytestmark = [*short.MARKS, pytest.mark.split]


def test_no_grant_is_lost_but_by_a_lost_answer_and_nobody_asks_twice():
    figures = short.figures_of("rotate_tokens", "--rounds", "20", "--holders", "3", "--seed", "1")
    assert (figures["rounds"], figures["killed_before_commit"], figures["loud"]) == (23, 3, 3)
    assert figures["cuts_after"] > 0
    assert figures["lost_by_cut"] > 0
    assert figures["kills"] > 3
    promised = ("extra_requests", "lost_otherwise", "not_told", "wrong_words", "asked_after_loss")
    assert {name: figures[name] for name in promised} == dict.fromkeys(promised, 0)
