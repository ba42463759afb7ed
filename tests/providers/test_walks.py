"""Every provider by every way: the checklist from nothing to the first sync, against its simulator."""

from __future__ import annotations

from typing import Any

import pytest

from connections.providers import registry
from connections.sync.models import Record
from connections.transport.limits import rate_limiter
from tests.providers.walking import Walker

pytestmark = pytest.mark.usefixtures("committed_db")

WAYS = [(slug, grant.name) for slug, provider in registry.all_providers().items() for grant in provider.grants]


@pytest.mark.parametrize(("slug", "auth_method"), WAYS)
def test_from_nothing_to_the_first_sync(
    slug: str, auth_method: str, aamu: Any, sandbox: Any, work_off: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(rate_limiter, "_wait_for_slot", lambda *_args: None)  # gentle limits are proved elsewhere
    walker = Walker(tenant=aamu, server=sandbox, slug=slug, auth_method=auth_method, work_off=work_off)
    walker.server.reset()
    walker.prepare()
    states = walker.walk()
    run = walker.runs()[-1]
    assert run.state == "succeeded", [line for line in run.lines.values_list("code", "values")]
    assert set(states.values()) <= {"verified", "inferred", "attested"}, states
    assert walker.connection.state == "connected"
    for stream in walker.provider.streams:
        served = walker.server.control("records", stream=stream.name)["records"]
        stored_records = Record.objects.filter(connection_id=walker.connection.id, stream=stream.name)
        assert stored_records.count() >= len(served) > 0, stream.name
        if not stream.variants:  # which hold more than the list shows when nobody asks for it
            assert stored_records.count() == len(served), stream.name
