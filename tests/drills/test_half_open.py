"""The short version of the drill of half-open connections: everything is answered, however late on a busy machine."""

from __future__ import annotations

import pytest

from tests.drills import short

pytestmark = [*short.MARKS, pytest.mark.split]


def test_a_page_and_the_probes_are_answered_beside_half_open_and_dribbling_connections():
    assert sum(line.endswith("   none") for line in short.lines_of("half_open", "--short")) == 6
