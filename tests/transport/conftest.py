"""What the tests of transport talk to when the sandbox is too polite."""

from __future__ import annotations

import pytest

from tests.transport.hostile import HostileServer


@pytest.fixture(scope="session")
def hostile_process(tmp_path_factory):
    server = HostileServer(tmp_path_factory.mktemp("hostile"))
    yield server
    server.close()


@pytest.fixture
def hostile(hostile_process):
    hostile_process.reset()
    return hostile_process
