"""The short version of the storm: every provider once, each kind of death perhaps, every planted fault."""

from __future__ import annotations

import pytest

from tests.drills import short

pytestmark = [*short.MARKS, pytest.mark.split]


def test_nothing_is_lost_doubled_or_falsely_gone_whatever_dies():
    sizes = ("--minutes", "0.2", "--tenants", "1", "--records", "300", "--database-kills", "1")
    figures = short.figures_of("storm", *sizes, "--seed", "1", "--lease-seconds", "2", "--sweep-seconds", "1")
    assert (figures["connections"], figures["runs"]) == (5, {"succeeded": 5})
    assert figures["records"] > 100
    assert figures["changes"] > 0
    assert figures["deaths"]["database"] == 1
    assert sum(figures["deaths"].values()) > 2
    assert set(figures["findings"].values()) == {0}
    assert (figures["planted"], figures["missed_plants"]) == (9, [])
