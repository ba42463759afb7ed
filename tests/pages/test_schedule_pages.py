"""The page of a schedule and the pause, as members and staff meet them; and the company's time zone."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from html import unescape
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core import mail
from django.utils import timezone as clock

from connections.jobs.models import Job
from connections.providers import registry
from connections.sync.models import RunState, Schedule, ScheduleSlot, SlotOutcome, StreamProgress, SyncRun
from connections.tenancy.models import AuditEvent, TenantSettings
from connections.tenancy.scope import tenant_scope
from connections.vault.models import Connection
from portal.members.models import User
from tests.conftest import joined, person

pytestmark = pytest.mark.usefixtures("committed_db")

STREAMS = [stream.name for stream in registry.all_providers()["procountor"].streams]
BY_HAND = {"kind": "hand", "every_hours": "6", "streams": STREAMS}
AT_TIMES = {"kind": "times", "every_hours": "6", "times_0": "18:30", "times_1": "06:00", "streams": STREAMS}
NEXT = re.compile(r'<li><time datetime="([^"]+)"[^>]*>([^<]+)</time></li>')


@pytest.fixture
def place(connected: Any) -> str:
    return f"/t/aamu/c/{connected.id}/"


@pytest.fixture
def client(sign_in: Callable[..., Any], alice: Any) -> Any:
    return sign_in(alice)


def change(client: Any, place: str, data: dict[str, Any]) -> str:
    return unescape(client.post(f"{place}schedule/change/", data, follow=True).content.decode())


def planned(page: str) -> list[str]:
    return [said for _at, said in NEXT.findall(page)]


# -- the schedule ------------------------------------------------------------------------------------------------------


def test_the_page_is_reached_and_says_when_and_the_next_five(client: Any, place: str) -> None:
    connection_page = client.get(place).content.decode()
    assert f'href="{place}schedule/"' in connection_page
    assert "Every 6 hours." in connection_page
    page = client.get(f"{place}schedule/").content.decode()
    assert "Every 6 hours." in page
    assert len(planned(page)) == 5
    assert f'action="{place}sync/"' in page


def test_times_of_day_are_kept_and_shown_in_the_companys_zone(client: Any, place: str, alice: Any) -> None:
    User.objects.filter(pk=alice.pk).update(time_zone="Asia/Tehran")
    page = change(client, place, {**AT_TIMES, "weekdays": ["1", "2", "3", "4", "5"]})
    assert "The schedule is changed." in page
    assert "At 06:00 and 18:30, Monday to Friday, in the time zone Europe/Helsinki." in page
    zone = ZoneInfo("Europe/Helsinki")
    shown = NEXT.findall(page)
    local = [datetime.fromisoformat(at).astimezone(zone) for at, _said in shown]
    assert {f"{each:%H:%M}" for each in local} == {"06:00", "18:30"}
    assert all(each.isoweekday() <= 5 for each in local)
    assert [said for _at, said in shown] == [
        f"{each:%A} {each.day} {each:%B %Y, %H:%M} {each.tzname()}" for each in local
    ]
    row = Schedule.objects.get()
    assert (row.kind, row.times, row.weekdays) == ("times", ["06:00", "18:30"], [1, 2, 3, 4, 5])
    assert 'value="18:30"' in page
    assert Job.objects.filter(kind="sync.scheduled", state="queued").count() == 1


def test_by_hand_alone(client: Any, place: str) -> None:
    page = change(client, place, BY_HAND)
    assert "Only by hand." in page
    assert "None is planned" in page
    assert not Job.objects.filter(kind="sync.scheduled", state="queued").exists()


@pytest.mark.parametrize(
    ("data", "field", "sentence"),
    [
        ({"kind": ""}, "kind", "This field is required."),
        ({"kind": "sometimes"}, "kind", "Select a valid choice"),
        ({"every_hours": "5000"}, "every_hours", "Select a valid choice"),
        ({"every_hours": "six"}, "every_hours", "Select a valid choice"),
        ({"times_0": "", "times_1": ""}, "times", "Enter between one and 6 times of day."),
        ({"times_0": "25:00"}, "times", "Enter a time of day such as 06:30."),
        ({"weekdays": ["8"]}, "weekdays", "Select a valid choice"),
        ({"streams": []}, "streams", "Choose at least one."),
        ({"streams": ["salaries"]}, "streams", "Select a valid choice"),
        (
            {"streams": ["bank_statements", "partners"]},
            "streams",
            "“Bank statements” can only be read together with “Bank accounts”: choose that, too.",
        ),
    ],
)
def test_what_is_impossible_is_said_at_its_field_and_nothing_changes(
    data: dict[str, Any], field: str, sentence: str, client: Any, place: str
) -> None:
    page = change(client, place, {**AT_TIMES, **data})
    [errors] = re.findall(r'<ul class="errorlist" id="id_(\w+)_error">(.*?)</ul>', page, re.DOTALL)
    assert errors[0] == field
    assert sentence in errors[1]
    assert not Schedule.objects.filter(kind="times").exists()


def test_what_is_read_is_chosen_with_the_rights_it_needs(
    client: Any, place: str, work_off: Callable[..., int]
) -> None:
    page = unescape(client.get(f"{place}schedule/").content.decode())
    assert "needs the right Product register (Sales)" in page
    assert "needs the rights Customer register (Sales) and Supplier register (Purchases)" in page
    change(client, place, {**BY_HAND, "streams": ["partners", "products"]})
    client.post(f"{place}sync/")
    work_off()
    run = SyncRun.objects.get()
    assert run.state == RunState.SUCCEEDED
    assert set(StreamProgress.objects.filter(run=run).values_list("stream", flat=True)) == {"partners", "products"}
    page = client.get(place).content.decode()
    assert page.count("not read") == len(STREAMS) - 2


def test_a_viewer_sees_and_an_operator_changes(
    client: Any, place: str, aamu: Any, sign_in: Callable[..., Any]
) -> None:
    viewer = sign_in(joined(person("veera@aamu.example"), aamu, "viewer"))
    operator = sign_in(joined(person("otto@aamu.example"), aamu, "operator"))
    page = viewer.get(f"{place}schedule/").content.decode()
    assert 'id="plan"' not in page
    assert "Bank statements" in page
    assert viewer.post(f"{place}schedule/change/", BY_HAND).status_code == 404
    assert 'id="plan"' in operator.get(f"{place}schedule/").content.decode()
    assert operator.post(f"{place}schedule/change/", BY_HAND).status_code == 302
    assert AuditEvent.objects.get(action="sync.scheduled").actor_name == "otto@aamu.example"


def test_what_was_missed_is_shown_to_customers_and_staff(
    client: Any, place: str, connected: Any, ada: Any, sign_in: Callable[..., Any]
) -> None:
    slot = datetime(2026, 11, 30, 4, tzinfo=timezone.utc).replace(year=clock.now().year)
    slot = clock.now().replace(second=0, microsecond=0) - timedelta(days=1)
    for number, outcome in enumerate(SlotOutcome):
        row = ScheduleSlot(tenant_id=connected.tenant_id, connection_id=connected.id, outcome=outcome)
        row.due_at = slot + timedelta(hours=number)
        row.save(force_insert=True)
    page = client.get(f"{place}schedule/").content.decode()
    [missed] = re.findall(r'id="missed".*?</ul>', page, re.DOTALL)
    assert missed.count("<li>") == 2
    assert "missed: no worker ran at that time" in missed
    assert "syncs were held" in missed
    staff = sign_in(ada).get(f"/admin/vault/connection/{connected.id}/change/").content.decode()
    assert "Latest slots of the schedule" in staff
    assert staff.count("missed: no worker ran") == 1
    assert "Every 6 hours." in staff


# -- the pause ---------------------------------------------------------------------------------------------------------


def test_a_pause_is_asked_for_told_everywhere_and_ended_by_one_press(client: Any, place: str) -> None:
    client.post(f"{place}sync/")
    assert f'href="{place}pause/"' in client.get(place).content.decode()
    assert "goes on where it was" in client.get(f"{place}pause/").content.decode()
    answer = client.post(f"{place}pause/", {"reason": "The year is being <b>closed</b>."}, follow=True)
    assert answer.redirect_chain[-1][0] == place
    run = SyncRun.objects.get()
    assert run.state == RunState.PAUSED
    pages = {
        "connection": answer.content.decode(),
        "schedule": client.get(f"{place}schedule/").content.decode(),
        "home": client.get("/t/aamu/").content.decode(),
    }
    for name, page in pages.items():
        assert "The year is being &lt;b&gt;closed&lt;/b&gt;." in page, name
        assert f'action="{place}resume/"' in page, name
        assert f'action="{place}sync/"' not in page, name
    assert "alice@aamu.example" in pages["connection"]
    assert "None while the connection is paused." in pages["schedule"]
    assert "this sync with it" in client.get(f"{place}runs/{run.id}/").content.decode()
    refused = client.post(f"{place}sync/", follow=True).content.decode()
    assert "This connection is paused: resume it first." in refused
    page = client.post(f"{place}resume/", follow=True).content.decode()
    assert "The connection is resumed." in page
    run.refresh_from_db()
    assert run.state == RunState.QUEUED


def test_a_pause_without_a_reason_is_none(client: Any, place: str) -> None:
    page = client.post(f"{place}pause/", {"reason": " "}).content.decode()
    assert "id_reason_error" in page
    assert Connection.objects.get().state == "connected"


def test_only_an_owner_pauses_and_resumes(client: Any, place: str, bob: Any, sign_in: Callable[..., Any]) -> None:
    operator = sign_in(bob)
    assert operator.get(f"{place}pause/").status_code == 404
    assert operator.post(f"{place}pause/", {"reason": "a holiday"}).status_code == 404
    assert f"{place}pause/" not in operator.get(place).content.decode()
    client.post(f"{place}pause/", {"reason": "a holiday"})
    assert operator.post(f"{place}resume/").status_code == 404
    for page in (operator.get(place), operator.get("/t/aamu/"), operator.get(f"{place}schedule/")):
        assert "a holiday" in page.content.decode()
        assert f"{place}resume/" not in page.content.decode()
    assert "An owner of your company can resume it." in operator.get(place).content.decode()


def test_an_admin_of_ours_pauses_and_resumes_and_support_does_not(
    client: Any, place: str, connected: Any, ada: Any, dana: Any, sign_in: Callable[..., Any], work_off: Any
) -> None:
    address = f"/admin/vault/connection/{connected.id}/"
    admin, support = sign_in(ada), sign_in(dana)
    assert support.post(f"{address}pause/", {"reason": "asked by the provider"}).status_code == 403
    assert f"{address}pause/" not in support.get(f"{address}change/").content.decode()
    assert "Say why" in admin.post(f"{address}pause/", {"reason": ""}, follow=True).content.decode()
    page = admin.post(f"{address}pause/", {"reason": "asked by the provider"}, follow=True).content.decode()
    assert "The connection is being paused." in page
    work_off()
    assert "asked by the provider" in client.get(place).content.decode()
    assert f"{ada.email}: asked by the provider" in page
    page = admin.post(f"{address}resume/", follow=True).content.decode()
    assert "The connection is being resumed." in page
    work_off()
    assert "asked by the provider" not in client.get(place).content.decode()
    events = AuditEvent.objects.filter(action__in=["connection.paused", "connection.resumed"])
    assert set(events.values_list("actor_name", flat=True)) == {ada.email}


# -- the company's time zone -------------------------------------------------------------------------------------------


def test_an_owner_chooses_the_companys_zone(client: Any, place: str) -> None:
    change(client, place, AT_TIMES)
    assert 'value="Europe/Helsinki" selected' in client.get("/t/aamu/settings/").content.decode()
    page = client.post("/t/aamu/settings/", {"time_zone": "Asia/Tehran"}, follow=True).content.decode()
    assert "planned by this zone from now on" in page
    assert 'value="Asia/Tehran" selected' in page
    page = client.get(f"{place}schedule/").content.decode()
    assert "in the time zone Asia/Tehran." in page
    assert {said[-16:] for said in planned(page)} == {"06:00 UTC+03:30", "18:30 UTC+03:30"} or all(
        said.endswith(("06:00 UTC+03:30", "18:30 UTC+03:30")) for said in planned(page)
    )


def test_an_invented_zone_is_refused_at_its_field(client: Any, aamu: Any) -> None:
    page = client.post("/t/aamu/settings/", {"time_zone": "Mars/Olympus"}).content.decode()
    assert "id_time_zone_error" in page
    assert not TenantSettings.objects.exists()


def test_only_owners_see_the_settings(client: Any, aamu: Any, bob: Any, sign_in: Callable[..., Any]) -> None:
    assert "/t/aamu/settings/" in client.get("/t/aamu/").content.decode()
    assert "/t/aamu/settings/" not in sign_in(bob).get("/t/aamu/").content.decode()
    assert sign_in(bob).get("/t/aamu/settings/").status_code == 404


def test_who_joins_begins_in_the_companys_zone_and_mails_name_it(
    aamu: Any, alice: Any, system_key: None, client: Any, work_off: Callable[..., int]
) -> None:
    from portal.members.permissions import Role
    from portal.members.services import accept_as_new, invite, opened

    client.post("/t/aamu/settings/", {"time_zone": "Asia/Tehran"})
    with tenant_scope(aamu.id):
        address = invite(
            tenant=aamu, email="nasrin@aamu.example", role=Role.VIEWER, actor=alice.actor, up_to=Role.OWNER
        )
    work_off()
    assert "UTC+03:30. If you did not expect it" in mail.outbox[-1].body
    with opened(address.rstrip("/").rsplit("/", 1)[-1]) as offer:
        assert offer is not None
        user = accept_as_new(offer=offer, name="Nasrin", password="correct horse battery staple")
    assert User.objects.get(pk=user.pk).time_zone == "Asia/Tehran"
