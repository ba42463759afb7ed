"""A press that takes something away asks first, or can be undone: for every address of a tenant it is said which."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.urls import reverse

from portal.members.models import Membership
from tests.conftest import RoleClient, joined, person
from tests.factors import with_totp
from tests.pages.crowd import ADDRESSES, settle

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("every_button")]

# A page of its own says what happens and what stays; the button is there alone.
ASKS = {"disconnect", "move_server", "remove_member", "delete_recording", "pause_connection", "end_departure"}
# Everything else, with how it is taken back, or why there is nothing to take back.
UNDONE = {
    "start_connection": "begins a connection, which can be given up",
    "attest_checkpoint": "a later check or failure opens it again",
    "check_checkpoint": "looks",
    "submit_credentials": "another value can be stored; the page says that the old one is replaced",
    "waive_checkpoint": "can be taken back at the same place",
    "confirm_checkpoint": "says what a person compared; the page shows it before",
    "start_login": "leads to the provider, where the person decides",
    "ask_consent": "sends a mail",
    "give_handoff": "can be taken back; the page says what the link can do",
    "withdraw_handoff": "can be given again",
    "stop_handoff_reminders": "can be given again, with reminders",
    "decide_activation": "the page lists the companies and says what becomes of each before",
    "sync_now": "can be cancelled",
    "change_schedule": "can be changed back",
    "resume_connection": "can be paused again",
    "tenant_settings": "can be changed back",
    "mail_choice": "can be changed back",
    "cancel_run": "a sync can be started again, and goes on where it was",
    "switch_writes": "can be switched back",
    "try_fill": "a read, or the page that shows a write before it leaves",
    "try_send": "was shown before",
    "call_settle": "says what a person saw at the provider",
    "call_again": "was settled as not carried out before",
    "invite": "can be withdrawn",
    "invite_again": "can be withdrawn",
    "revoke_invitation": "can be sent anew; the message says so",
    "change_role": "can be changed back; one's own is asked for",
    "exports": "can be cancelled",
    "connection_export": "can be cancelled",
    "end_export": "can be asked for again",
    "download_export": "gives a copy",
    "probe_departure": "looks",
    "departure_records": "what is to be deleted stays for a day, in which it can be kept after all",
    "stop_recording": "can be started again",
    "start_recording": "the page says that what was recorded before is deleted",
}


@pytest.fixture
def ids(aamu: Any, alice: Any) -> dict[str, Any]:
    joined(person("olga@aamu.example", name="Olga Ojala"), aamu, "owner")
    ids = settle(aamu, alice)
    return {**ids, "membership": Membership.objects.get(user__email="olga@aamu.example").id}


def test_of_every_press_it_is_said_whether_it_asks_or_how_it_is_undone() -> None:
    pressed = {address.name for address in ADDRESSES if address.method == "post"}
    assert pressed == ASKS | set(UNDONE)
    assert not ASKS & set(UNDONE)


def test_what_asks_is_reached_by_a_page_that_says_what_happens(
    sign_in: Callable[..., RoleClient], alice: Any, ids: dict[str, Any]
) -> None:
    client = sign_in(alice)
    pages = {
        address.name: client.get(address.url("aamu", ids)).content.decode()
        for address in ADDRESSES
        if address.method == "get" and not address.name.endswith("_poll") and address.name != "recorded_call"
    }
    pages["of what can be moved"] = client.get(reverse("connection", args=["aamu", ids["movable"]])).content.decode()
    for address in ADDRESSES:
        if address.method == "post" and address.name in ASKS:
            form = f'method="post" action="{address.url("aamu", ids)}"'
            assert [name for name, page in pages.items() if form in page] == [address.name]
            assert any(f'href="{address.url("aamu", ids)}"' in page for page in pages.values()), address.name
    assert "Remove <bdi>Olga Ojala</bdi> from the team of <bdi>Aamu Oy</bdi>?" in pages["remove_member"]
    for section in ("What happens", "What stays"):
        assert f"<h2>{section}</h2>" in pages["remove_member"]
    assert "1 recorded request and its answer are gone at once" in pages["delete_recording"]


def test_an_owner_who_takes_their_own_right_away_is_asked(
    sign_in: Callable[..., RoleClient], alice: Any, ids: dict[str, Any]
) -> None:
    client, mine = sign_in(alice), Membership.objects.get(user=alice)
    address = reverse("change_role", args=["aamu", mine.id])
    page = client.post(address, {"role": "viewer"}).content.decode()
    mine.refresh_from_db()
    assert mine.role == "owner"
    assert "you cannot take this back: another owner can" in page
    client.post(address, dict(re.findall(r'<input type="hidden" name="(role|sure)" value="(\w+)"', page)))
    mine.refresh_from_db()
    assert mine.role == "viewer"


def test_staff_are_asked_before_a_member_or_a_factor_is_gone(
    sign_in: Callable[..., RoleClient], ada: Any, dana: Any, aamu: Any, ids: dict[str, Any]
) -> None:
    admin = sign_in(ada)
    with_totp(dana)
    for address, there in (
        (
            reverse("admin:tenancy_tenant_remove", args=[aamu.id, ids["membership"]]),
            Membership.objects.filter(id=ids["membership"]),
        ),
        (reverse("admin:members_user_make_link", args=[dana.pk]), Authenticator.objects.filter(user=dana)),
    ):
        page = admin.post(address)
        assert page.status_code == 200
        assert "Keep as it is" in page.content.decode()
        assert there.exists(), address
        admin.post(address, {"sure": "yes"})
        assert not there.exists(), address
