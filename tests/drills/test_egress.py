"""The short versions of the egress drill: with a network of its own where the machine allows it, and without."""

from __future__ import annotations

import pytest

from tests.drills import short

pytestmark = [*short.MARKS, pytest.mark.split]


@pytest.mark.parametrize("more", [[], ["--no-namespace"]])
def test_nobody_inside_is_called_and_every_honest_host_is(more):
    figures = short.figures_of("egress", "--rebindings", "96", "--redirects", "96", *more)
    assert figures["urls_refused"] == figures["hostile_urls"] >= 400
    assert (figures["internal_connections"], figures["secrets_elsewhere"], figures["honest_refused"]) == (0, 0, [])
    assert figures["rebindings_to_public"] > 0  # a door that is always shut would pass all else
