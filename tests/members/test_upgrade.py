"""What a release leaves with people goes on after the next one is installed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.conftest import RoleClient


def test_a_session_from_before_the_upgrade_goes_on(sign_in: Callable[..., RoleClient], alice: Any) -> None:
    """Nothing of it changed: the epoch is 0, and the limits begin with the first page."""
    client = sign_in(alice)
    session = client.session
    for key in ("members_started_at", "members_active_at"):
        session.pop(key, None)
    session.save()
    assert client.get("/t/aamu/").status_code == 200
    assert client.session["members_started_at"]
