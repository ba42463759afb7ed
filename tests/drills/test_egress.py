"""The short versions of the egress drill: with a network of its own where the machine allows it, and without."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.sandbox_server import REPOSITORY

pytestmark = [pytest.mark.drill, pytest.mark.split, pytest.mark.timeout(240)]


@pytest.mark.parametrize("more", [[], ["--no-namespace"]])
def test_nobody_inside_is_called_and_every_honest_host_is(more):
    command = [sys.executable, "-m", "tests.drills.egress", "--rebindings", "96", "--redirects", "96", "--json", *more]
    drill = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=230)
    assert drill.returncode == 0, drill.stdout[-4000:] + drill.stderr[-3000:]
    figures = json.loads(drill.stdout.splitlines()[-1])
    assert figures["urls_refused"] == figures["hostile_urls"] >= 400
    assert (figures["internal_connections"], figures["secrets_elsewhere"], figures["honest_refused"]) == (0, 0, [])
    assert figures["rebindings_to_public"] > 0  # a door that is always shut would pass all else
