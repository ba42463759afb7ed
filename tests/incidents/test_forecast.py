"""What is going to end is shown to those whose it is, to staff over all tenants, and mailed 30, 7 and 1 days before."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.urls import reverse
from django.utils import timezone

from connections.jobs.models import Job
from connections.providers import registry
from connections.spec.changes import AnnouncedChange, ChangeKind
from connections.transport.models import AuthorizationAttempt, QuotaWindow
from connections.vault.models import Connection, Grant, Pin
from portal.incidents.advance_warnings import WARN
from portal.incidents.forecast import Forecast, forecasts_of, with_forecast_facts
from portal.incidents.models import MailChoice, Notice, NoticeOutcome
from portal.incidents.notices import MAIL_PERSON
from tests.incidents.conftest import Office, mailed
from tests.signing import offer
from tests.support.conftest import log_entry

pytestmark = pytest.mark.usefixtures("committed_db", "no_checks")
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
SIX_MONTHS = timedelta(days=182)


@pytest.fixture
def signed_in(office: Office, alice: Any) -> Connection:
    """A connection that a person's sign-in opened."""
    connection = office.connect(alice)
    Connection.objects.filter(id=connection.id).update(auth_method="sign-in")
    return Connection.objects.get(id=connection.id)


def ends_in(connection: Connection, days: float) -> None:
    issued_at = timezone.now() + timedelta(days=days) - SIX_MONTHS
    Grant.objects.update_or_create(
        tenant_id=connection.tenant_id, connection=connection, defaults={"refresh_issued_at": issued_at}
    )


def look_ahead(office: Office) -> dict[str, int]:
    """The next day's look; the mails that came of it."""
    for kind in (WARN, MAIL_PERSON):
        Job.objects.filter(kind=kind, state="queued").update(due_at=LONG_AGO)
        office.work_off()
    return mailed()


def forecasts(connection: Connection) -> list[Forecast]:
    return forecasts_of(with_forecast_facts(Connection.objects.filter(id=connection.id)).get())


def test_one_access_is_warned_of_at_30_7_and_1_days_once_each(
    office: Office, signed_in: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends_in(signed_in, 40)
    now, counts = timezone.now(), {}
    for day in (9, 10, 11, 32, 33, 34, 38, 39, 40):
        at = now + timedelta(days=day, hours=1)
        monkeypatch.setattr("django.utils.timezone.now", lambda at=at: at)
        counts[day] = sum(look_ahead(office).values())
    assert counts == {9: 0, 10: 1, 11: 0, 32: 0, 33: 1, 34: 0, 38: 0, 39: 1, 40: 0}


def test_what_was_renewed_meanwhile_is_not_mailed(office: Office, signed_in: Connection, alice: Any) -> None:
    ends_in(signed_in, 5)
    with office.scope("web"):
        MailChoice.objects.create(tenant=office.tenant, user=alice, is_digest=True)
    assert look_ahead(office) == {}
    ends_in(signed_in, 180)
    Notice.objects.update(due_at=timezone.now())
    Job.objects.filter(kind="incidents.mail_person").update(due_at=timezone.now())
    office.work_off()
    assert mailed() == {}
    assert Notice.objects.get(kind="expires").outcome == NoticeOutcome.OVERTAKEN


def test_the_mail_names_the_day_the_step_and_what_happens_otherwise(office: Office, signed_in: Connection) -> None:
    ends_in(signed_in, 5)
    look = Job.objects.filter(kind=WARN, state="queued")
    look.update(due_at=timezone.now())
    office.work_off()
    [message] = mail.outbox
    assert "Sign in once more before then" in message.body
    assert "Otherwise: From then on nothing is read" in message.body
    assert reverse("checkpoint", args=["aamu", signed_in.id, "api-key"]) in message.body


def test_the_page_shows_what_ends_and_when(office: Office, signed_in: Connection, sign_in: Any, alice: Any) -> None:
    ends_in(signed_in, 100)
    host, ends_at = "books.aamu.example:443", timezone.now() + timedelta(days=20)
    for days, sha in ((5, "AA"), (20, "BB")):
        Pin.objects.create(
            tenant=office.tenant,
            connection=signed_in,
            host=host,
            certificate="-",
            sha256=sha,
            ends_at=timezone.now() + timedelta(days=days),
            seen_at=timezone.now(),
            confirmed_at=timezone.now() + timedelta(seconds=days),
        )
    first, second = forecasts(signed_in)
    assert (first.kind.name, first.due_at.date()) == ("certificate", ends_at.date()), "the newest of a host counts"
    assert second.kind.name == "access"
    page = sign_in(alice).get(reverse("connection", args=["aamu", signed_in.id])).content.decode()
    assert page.index("The certificate of books.aamu.example:443 ends") < page.index("Sign in once more before then")


def test_where_the_provider_says_nothing_nothing_is_forecast(office: Office, alice: Any) -> None:
    connection = office.connect(alice)
    ends_in(connection, 5)  # of an API key, which has no end
    assert forecasts(connection) == []
    Connection.objects.filter(id=connection.id).update(provider="smartbusiness", auth_method="consent")
    assert forecasts(connection) == [], "its refresh tokens never end"


def test_an_access_that_nobody_uses_is_named(office: Office, alice: Any) -> None:
    connection = office.connect(alice)
    paused_at = timezone.now() - timedelta(days=85)
    Connection.objects.filter(id=connection.id).update(state="paused", paused_at=paused_at)
    [forecast] = forecasts(connection)
    assert (forecast.kind.name, forecast.due_at) == ("unused", paused_at + timedelta(days=90))
    assert look_ahead(office) == {alice.email: 1}


def sign_ins(connection: Connection, count: int, *, ended_at: datetime) -> None:
    for number in range(count):
        AuthorizationAttempt.objects.create(
            tenant_id=connection.tenant_id,
            connection=connection,
            login="sign-in",
            state_digest=f"{ended_at.timestamp()}-{number}",
            session_digest="-",
            actor_name="alice",
            redirect_uri="https://portal.example/",
            token_address="https://api.example/token",
            state="exchanged",
            ended_at=ended_at,
        )


def test_a_hundred_sign_ins_are_forecast_from_a_tenants_own_share(
    office: Office, signed_in: Connection, sign_in: Any, ada: Any, kaste: Any, charlie: Any, work_off: Any
) -> None:
    theirs = Office(kaste, work_off).connect(charlie)  # the same company, in another tenant
    Connection.objects.filter(id=theirs.id).update(auth_method="sign-in")
    sign_ins(signed_in, 45, ended_at=timezone.now() - timedelta(days=2))
    sign_ins(theirs, 40, ended_at=timezone.now() - timedelta(days=2))
    [mine] = forecasts(signed_in)
    assert mine.values == {"count": "45", "most": "100"}
    assert abs((mine.due_at - timezone.now()).days - 36) <= 1, "55 more at 45 in 30 days"
    page = sign_in(ada).get(reverse("admin:what_breaks_next")).content.decode()
    assert "85 stand" in page, "staff see what the provider counts"


CHANGE = AnnouncedChange(
    slug="consent-2027",
    kind=ChangeKind.CONSENT,
    due_on=date.today() + timedelta(days=12),
    title="Procountor asks everybody for a new consent.",
    todo="Sign in once more.",
    otherwise="Reading stops.",
    source="an invented newsletter",
    alternatives=("Use an API key instead.",),
    checkpoint="api-key",
    auth_methods=("sign-in",),
)


def test_an_announced_change_is_a_step_of_each_affected_connection(
    office: Office, signed_in: Connection, sign_in: Any, alice: Any, ada: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = office.connect(alice, 2)  # by API key
    offer(monkeypatch, replace(registry.all_providers()["procountor"], changes=(CHANGE,)))
    assert forecasts(other) == []
    [forecast] = forecasts(signed_in)
    assert forecast.change is CHANGE
    page = sign_in(alice).get(reverse("connection", args=["aamu", signed_in.id])).content.decode()
    checklist = sign_in(alice).get(reverse("checklist", args=["aamu", signed_in.id])).content.decode()
    for words in (CHANGE.title, CHANGE.todo, CHANGE.otherwise, *CHANGE.alternatives):
        assert str(words) in page
        assert str(words) in checklist
    assert look_ahead(office) == {alice.email: 1}
    calendar = sign_in(ada).get(reverse("admin:what_breaks_next")).content.decode()
    assert str(CHANGE.title) in calendar
    assert alice.email in calendar
    assert "mailed" in calendar


def test_the_calendar_goes_on_page_by_page_over_all_tenants(
    office: Office, signed_in: Connection, sign_in: Any, ada: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portal.support.what_breaks_next.SHOWN", 2)
    for days in (3, 4, 5, 6, 200):
        Pin.objects.create(
            tenant=office.tenant,
            connection=signed_in,
            host=f"host-{days}",
            certificate="-",
            sha256="AA",
            ends_at=timezone.now() + timedelta(days=days),
            seen_at=timezone.now(),
            confirmed_at=timezone.now(),
        )
    ends_in(signed_in, 3.5)
    client, address, shown = sign_in(ada), reverse("admin:what_breaks_next"), []
    while address:
        response = client.get(address)
        shown += [row.forecast.kind.name + row.forecast.values.get("host", "") for row in response.context["rows"]]
        following = response.context["next"]
        address = f"{reverse('admin:what_breaks_next')}?after={following.replace('+', '%2B')}" if following else ""
    assert shown == ["certificatehost-3", "access", "certificatehost-4", "certificatehost-5", "certificatehost-6"]
    assert client.get(reverse("admin:what_breaks_next") + "?after=nonsense").status_code == 200


def test_a_customer_sees_their_own_share_of_a_budget_and_staff_all_of_it(
    office: Office, sign_in: Any, alice: Any, ada: Any, kaste: Any, charlie: Any, work_off: Any
) -> None:
    connection = office.connect(alice)
    theirs = Office(kaste, work_off).connect(charlie)
    Connection.objects.filter(id__in=(connection.id, theirs.id)).update(provider="hesabit", auth_method="consent")
    for each, count in ((connection, 3), (theirs, 5)):
        each.provider = "hesabit"
        for _ in range(count):
            log_entry(each.tenant, each)
    page = sign_in(alice).get(reverse("connection", args=["aamu", connection.id])).content.decode()
    assert "we asked 3 times for this connection" in page
    assert "20,000" in page
    now = int(timezone.now().timestamp() // 900)
    QuotaWindow.objects.create(key="hesabit:production:client:c", counts={str(now): 1900, str(now - 50): 16000})
    calendar = sign_in(ada).get(reverse("admin:what_breaks_next")).content.decode()
    assert "17,900 / 20,000 (90 %)" in calendar
    assert "not within a day" not in calendar
