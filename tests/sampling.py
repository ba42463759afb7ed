"""Which of many places is tried with which of many values: all with all only where that is asked for.

Ordinarily each value is tried somewhere and each place with some of the values. `make test ARGS=--every` tries all of
them, which is to be done where something is changed that all pages share.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle, product
from typing import TypeVar

import pytest

Place = TypeVar("Place")
Value = TypeVar("Value")

OPTION = "--every"
_is_every = False


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(OPTION, action="store_true", help="try every value in every place, not each one somewhere")


def pytest_configure(config: pytest.Config) -> None:
    global _is_every
    _is_every = config.getoption(OPTION)


def pairs(places: Sequence[Place], values: Sequence[Value], *, each: int) -> list[tuple[Place, Value]]:
    """`each` of the values for every place, in turns; with `--every`, all of them."""
    if _is_every or each >= len(values):
        return list(product(places, values))
    turns = cycle(values)
    return [(place, next(turns)) for place in places for _ in range(each)]
