"""What staff read on a connection, a run, a job: everything that helps, and never a secret."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import ProgrammingError, transaction
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from connections.calls.models import Call
from connections.sync.models import RunLogLine, StreamCursor, SyncRun
from connections.tenancy.scope import staff_scope
from connections.vault.models import ClientRegistration, Connection, Credential, Grant
from portal.members.models import Membership
from portal.notices.models import OutgoingMail
from portal.support import timeline as room
from portal.support.combined_queries import fetch_together
from portal.support.timeline import timeline
from tests.roles import acting_as
from tests.support.conftest import API_KEY, CLIENT_SECRET, WRITTEN, House, log_entry
from tests.support.pages import Page
from tests.support.test_who_may import addresses


@pytest.fixture
def look(sign_in: Callable[..., Any], dana: Any) -> Callable[..., Page]:
    browser = sign_in(dana)

    def see(name: str, key: Any, **query: str) -> Page:
        answer = browser.get(reverse(f"admin:{name}_change", args=[key]), query)
        assert answer.status_code == 200
        return Page(answer.content)

    return see


# -- secrets -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["dana", "ada"])
def test_no_page_holds_a_secret(
    house: House, request: pytest.FixtureRequest, sign_in: Callable[..., Any], who: str
) -> None:
    user = request.getfixturevalue(who)
    browser = sign_in(user)
    hidden = [
        API_KEY,
        CLIENT_SECRET,
        WRITTEN,
        "canary-of-the-token",
        "ciphertext",
        user.password,
        house.invitation.digest,
    ]
    for name, address, *_ in addresses(house):
        # A fault of ours says the word, and shows none.
        page = browser.get(address).content.decode().replace("the ciphertext does not belong here", "")
        for secret in hidden:
            assert secret not in page, f"{secret} on {name}"


@pytest.mark.parametrize(
    "forbidden",
    [
        lambda: list(Credential.objects.all()),
        lambda: list(Grant.objects.values("access_ciphertext")),
        lambda: list(ClientRegistration.objects.all()),
        lambda: list(OutgoingMail.objects.values("ciphertext")),
        lambda: list(Call.objects.values("body")),
    ],
)
def test_the_staffs_role_itself_cannot_read_what_is_sealed(house: House, forbidden: Callable[[], Any]) -> None:
    with acting_as("web"), staff_scope():
        assert Membership.objects.exists(), "staff do see every tenant"
        with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
            forbidden()


# -- a connection ------------------------------------------------------------------------------------------------------


def test_a_connection_says_what_is_stored_and_by_whom(house: House, alice: Any, look: Any) -> None:
    page = look("vault_connection", house.connection.id)
    [row] = [row for row in page.rows if row.startswith("API key")]
    assert "stored" in row
    assert f"ends with {API_KEY[-4:]}" in row
    assert alice.email in row
    [row] = [row for row in page.rows if row.startswith("Grant")]
    assert "generation 3" in row


def test_a_connection_without_anything_says_so(house: House, look: Any) -> None:
    Credential.objects.all().delete()
    Grant.objects.all().delete()
    page = look("vault_connection", house.connection.id)
    assert [row for row in page.rows if row.startswith("API key") and "not given yet" in row]
    assert [row for row in page.rows if row.startswith("Grant") and "none yet" in row]


def test_a_connection_shows_its_checklist_runs_and_assumptions(house: House, look: Any) -> None:
    page = look("vault_connection", house.connection.id)
    assert "Checklist: 0 of 7" in page.text
    assert "by hand" in page.text
    assert "the key is wrong or revoked" in page.text, "the run's fault, in the words for staff"
    assert "the usual ones are kept if they are sent" in page.text


@pytest.mark.parametrize("typed", ["4711", "aamun kirjat", "aamu", "Aamu Oy"])
def test_a_connection_is_found_by_its_company_or_tenant(
    house: House, sign_in: Callable[..., Any], dana: Any, typed: str
) -> None:
    answer = sign_in(dana).get(reverse("admin:vault_connection_changelist"), {"q": typed})
    assert [row for row in Page(answer.content).rows if "Aamun Kirjat Oy" in row]


# -- a call ------------------------------------------------------------------------------------------------------------


def test_calls_with_an_unknown_outcome_are_told_where_staff_look(
    house: House, look: Any, sign_in: Callable[..., Any], dana: Any
) -> None:
    page = look("vault_connection", house.connection.id)
    assert "1 call waits for the customer's owner" in page.text
    listed = Page(sign_in(dana).get(page.links["See them"]).content)
    assert [row for row in listed.rows if "invoices.send" in row and "outcome unknown" in row]
    call = look("calls_call", house.call.id)
    assert "the customer's owner" in call.text
    assert "looked for and not found" in call.text
    assert "A write was sent and not answered" in call.text
    assert call.links[str(house.entry.id)].endswith(f"{house.entry.id}/change/")
    Call.objects.update(state="settled-done")
    assert "unknown outcome" not in look("vault_connection", house.connection.id).text


def test_what_is_fetched_together_is_what_each_would_have_fetched(house: House) -> None:
    querysets = [
        SyncRun.objects.filter(tenant=house.tenant)[:10],
        Credential.objects.filter(tenant=house.tenant).only("id", "name", "changed_at").order_by("-name")[:10],
        StreamCursor.objects.filter(stream="none")[:10],
        Call.objects.filter(tenant=house.tenant)[:10],
    ]
    with CaptureQueriesContext(database) as queries:
        together = fetch_together(*querysets)
    assert len(queries) == 1
    assert [len(rows) for rows in together] == [1, 1, 0, 1]
    for rows, queryset in zip(together, querysets, strict=True):
        alone = [vars(row) for row in queryset]
        assert [{**vars(row), "_state": None} for row in rows] == [{**row, "_state": None} for row in alone]


@pytest.mark.parametrize("typed", ["call", "entry", "connection", "tenant"])
def test_a_call_is_found_by_what_belongs_to_it(
    house: House, sign_in: Callable[..., Any], dana: Any, typed: str
) -> None:
    key = {"call": house.call.id, "entry": house.entry.id, "connection": house.connection.id, "tenant": "aamu oy"}
    answer = sign_in(dana).get(reverse("admin:calls_call_changelist"), {"q": str(key[typed])})
    assert [row for row in Page(answer.content).rows if "invoices.send" in row]


# -- a run -------------------------------------------------------------------------------------------------------------


def test_a_run_is_one_story_in_the_order_it_happened(house: House, look: Any) -> None:
    start = timezone.now()
    SyncRun.objects.filter(id=house.run.id).update(queued_at=start)
    RunLogLine.objects.all().delete()
    for second, path in ((1, "/first"), (3, "/second")):
        log_entry(
            house.tenant,
            house.connection,
            run_id=house.run.id,
            at=start + timedelta(seconds=second),
            path_template=path,
        )
    for second, code in ((0, "started"), (2, "went-on"), (4, "cancelled")):
        RunLogLine(
            tenant=house.tenant,
            run=house.run,
            at=start + timedelta(seconds=second),
            code=code,
            values={"who": "Bob"} if code == "cancelled" else {},
        ).save(force_insert=True)
    every = look("sync_syncrun", house.run.id).rows
    rows = [
        row for row in every if any(w in row for w in ("Started.", "/first", "Going on.", "/second", "Cancelled by"))
    ]
    assert [next(w for w in ("Started", "/first", "Going", "/second", "Cancelled") if w in row) for row in rows] == [
        "Started",
        "/first",
        "Going",
        "/second",
        "Cancelled",
    ]
    assert "Cancelled by Bob." in rows[-1]


def test_a_run_shows_each_streams_progress(house: House, look: Any) -> None:
    [row] = [row for row in look("sync_syncrun", house.run.id).rows if row.startswith("Invoices")]
    assert "25 %" in row
    assert "50 / 200" in row


def test_a_run_shows_where_its_time_went_and_whether_it_goes_on(house: House, look: Any) -> None:
    SyncRun.objects.filter(id=house.run.id).update(
        time_shares={"queue": 250, "provider": 700, "own": 50},
        state="running",
        accounted_at=timezone.now(),
        ended_at=None,
    )
    page = look("sync_syncrun", house.run.id)
    assert [row for row in page.rows if row.endswith("%")] == [
        "waiting for the provider's answers 70 %",
        "waiting for a worker 25 %",
        "our own work 5 %",
    ]
    assert "No worker has taken it up" not in page.text
    SyncRun.objects.filter(id=house.run.id).update(accounted_at=timezone.now() - timedelta(hours=1))
    assert "No worker has taken it up" in look("sync_syncrun", house.run.id).text


def test_a_connection_shows_what_changed_of_its_records_fields(house: House, look: Any) -> None:
    changes = [
        {"kind": "retyped", "field": "sum", "was": ["number"], "types": ["text"], "at": "2026-11-30T10:00:00+00:00"}
    ]
    StreamCursor.objects.create(
        tenant_id=house.connection.tenant_id, connection=house.connection, stream="invoices", shape_changes=changes
    )
    [row] = [row for row in look("vault_connection", house.connection.id).rows if "another type" in row]
    assert row.startswith("Invoices sum another type number text")


def test_a_run_links_the_request_that_ended_it(house: House, look: Any) -> None:
    page = look("sync_syncrun", house.run.id)
    assert page.links["The request"].endswith(f"{house.entry.id}/change/")
    assert page.links[str(house.entry.id)].endswith(f"{house.entry.id}/change/")


def test_a_long_run_is_told_in_parts_and_nothing_is_left_out(
    house: House, look: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "MOMENTS_AT_ONCE", 10)
    start = timezone.now() + timedelta(seconds=1)
    for number in range(25):
        at = start + timedelta(seconds=number // 3)  # three at each instant
        log_entry(house.tenant, house.connection, run_id=house.run.id, at=at, path_template=f"/n{number}")
    run = SyncRun.objects.select_related("connection").get(id=house.run.id)
    moments: list[str] = []
    since, parts = None, 0
    while True:
        part = timeline(run, since)
        moments += [moment.entry.path_template if moment.entry else moment.line.code for moment in part.moments]
        parts += 1
        if part.later is None:
            break
        since = part.later
    assert parts > 2
    assert len(moments) == len(set(moments))
    assert {f"/n{number}" for number in range(25)} < set(moments)
    assert "Later" in look("sync_syncrun", house.run.id).links
    assert "/n24" in look("sync_syncrun", house.run.id, since=since.isoformat()).text


@pytest.mark.parametrize("since", ["nonsense", "2026-01-01"])
def test_a_part_that_is_none_begins_at_the_start(house: House, look: Any, since: str) -> None:
    assert "Started." in look("sync_syncrun", house.run.id, since=since).text


# -- everything else ---------------------------------------------------------------------------------------------------


def test_hostile_text_of_a_provider_is_text(house: House, dana: Any, sign_in: Callable[..., Any]) -> None:
    planted = "<script>alert(1)</script>\u202egpj"
    entry = log_entry(house.tenant, house.connection, provider_request_id=planted)
    Connection.objects.filter(id=house.connection.id).update(company_name=planted)
    browser = sign_in(dana)
    pages = {
        reverse("admin:transport_requestlogentry_change", args=[entry.id]),
        reverse("admin:transport_requestlogentry_changelist"),
        reverse("admin:vault_connection_change", args=[house.connection.id]),
        reverse("admin:vault_connection_changelist"),
        reverse("admin:tenancy_tenant_change", args=[house.tenant.id]),
        reverse("admin:sync_syncrun_change", args=[house.run.id]),
        reverse("admin:search") + "?q=alert",
    }
    for address in pages:
        page = browser.get(address, follow=True).content.decode()
        assert "<script>alert" not in page, address
        assert "\u202e" not in page, address
        assert "&lt;script&gt;alert(1)" in page, address


def test_a_mail_is_a_state_and_two_times(house: House, look: Any) -> None:
    page = look("notices_outgoingmail", house.mail.id)
    assert "queued" in page.text
    assert "new@aamu.example" not in page.text


def test_an_audit_event_shows_its_details(house: House, look: Any) -> None:
    text = look("tenancy_auditevent", house.event.id).text
    assert "member.invited" in text
    assert "new@aamu.example" in text
