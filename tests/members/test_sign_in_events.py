"""Who came in, who failed to, who was refused: what the system's audit trail keeps of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.totp.internal.auth import TOTP
from django.urls import reverse

from connections.tenancy.models import SystemAuditEvent
from tests.conftest import PASSWORD, RoleClient

SEED = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def events_of(action: str) -> list[SystemAuditEvent]:
    return list(SystemAuditEvent.objects.filter(action=action).order_by("happened_at"))


def enter(client: Any, email: str, password: str) -> Any:
    return client.post(reverse("account_login"), {"login": email, "password": password})


def test_a_sign_in_and_a_sign_out_are_the_persons_own(client: RoleClient, alice: Any) -> None:
    assert enter(client, alice.email, PASSWORD).status_code == 302
    client.post(reverse("account_logout"))
    for action in ("session.signed_in", "session.signed_out"):
        [event] = events_of(action)
        assert (event.actor_id, event.actor_name) == (alice.pk, alice.email)
    assert events_of("session.signed_in")[0].details["address"] == "127.0.0.1"


def test_a_wrong_password_is_told_without_it(client: RoleClient, alice: Any) -> None:
    enter(client, "Alice@aamu.example", "not-hers-4711")
    [event] = events_of("session.password_failed")
    assert (event.actor_id, event.subject, event.details["person"]) == (None, alice.email, alice.pk)
    assert "not-hers" not in str(event.details)


def test_what_was_typed_for_nobody_is_not_kept(client: RoleClient, alice: Any) -> None:
    enter(client, "my-secret-password@typed.example", "x" * 12)
    [event] = events_of("session.unknown_person")
    assert "my-secret" not in f"{event.subject} {event.details}"


@pytest.mark.parametrize("who", ["alice", "nobody"])
def test_a_flood_of_failures_does_not_fill_the_table(
    alice: Any, who: str, monkeypatch: pytest.MonkeyPatch, rf: Any
) -> None:
    from portal.members.signals import password_failed

    for number in range(130):
        email = alice.email if who == "alice" else f"{number}@nowhere.example"
        password_failed(credentials={"email": email}, request=rf.post("/", REMOTE_ADDR="192.0.2.1"))
    events = events_of("session.password_failed" if who == "alice" else "session.unknown_person")
    assert [event.details["count"] for event in events] == [1, 2, 4, 8, 16, 32, 64, 128]


def test_a_wrong_code_is_told(client: RoleClient, alice: Any) -> None:
    TOTP.activate(alice, SEED)
    enter(client, alice.email, PASSWORD)
    assert not events_of("session.signed_in"), "half of the way is not in"
    client.post(reverse("mfa_authenticate"), {"code": "000000"})
    [event] = events_of("session.second_factor_failed")
    assert (event.actor_id, event.subject) == (None, alice.email)


def test_a_wrong_password_within_a_session_is_the_sessions(sign_in: Callable[..., Any], alice: Any) -> None:
    sign_in(alice, lately=False).post(reverse("account_reauthenticate"), {"password": "not-hers-4711"})
    [event] = events_of("session.password_failed")
    assert event.actor_id == alice.pk


def test_no_secret_of_a_link_is_kept(sign_in: Callable[..., Any], alice: Any) -> None:
    client = sign_in(alice)
    assert client.get(reverse("invitation", args=["secret-of-a-link"])).status_code == 404
    assert client.get("/t/aamu/connect/secret-of-a-link/").status_code == 404
    assert "secret-of-a-link" not in str([(each.subject, each.details) for each in SystemAuditEvent.objects.all()])
