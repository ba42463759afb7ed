"""Every list of the staff: pages without counting, links that mean the same tomorrow, filters by a part of a name."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib import admin
from django.contrib.admin.models import CHANGE, LogEntry
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from connections.tenancy.models import SystemAuditEvent, Tenant
from connections.transport.models import RequestLogEntry
from portal.members.models import User
from portal.support.request_log import RequestLogAdmin
from tests.conftest import person
from tests.support.conftest import House, log_entry
from tests.support.pages import Page
from tests.support.test_who_may import LISTS


@pytest.fixture
def support(dana: Any, sign_in: Callable[..., Any]) -> Any:
    return sign_in(dana)


def address_of(name: str) -> str:
    return reverse(f"admin:{name}_changelist")


# -- pages -------------------------------------------------------------------------------------------------------------


def test_no_list_counts_its_table(house: House, support: Any) -> None:
    counting = []
    for name in LISTS:
        for query in ({}, {"q": "aamu"}):
            with CaptureQueriesContext(database) as queries:
                assert support.get(address_of(name), query).status_code in (200, 400), name
            counting += [(name, each["sql"][:80]) for each in queries if re.search(r"SELECT COUNT\(", each["sql"])
                         and "tenant_id" not in each["sql"]]  # fmt: skip
    assert counting == []


def test_every_list_has_a_box_that_finds_an_id(house: House, support: Any) -> None:
    for name, page in ((f"{p.opts.app_label}_{p.opts.model_name}", p) for p in admin.site._registry.values()):
        assert page.search_fields, name
        assert support.get(address_of(name), {"q": str(house.run.id)}).status_code == 200


def test_a_row_is_made_once_and_its_page_leads_back_to_the_list(
    house: House, support: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: list[Any] = []
    original = RequestLogAdmin.call

    @wraps(original)
    def call(page: RequestLogAdmin, entry: RequestLogEntry) -> Any:
        rows.append(entry.pk)
        return original(page, entry)

    monkeypatch.setattr(RequestLogAdmin, "call", call)
    page = support.get(address_of("transport_requestlogentry"), {"provider": "procountor"}).content.decode()
    assert len(rows) == len(set(rows)) > 0
    assert f'{house.entry.pk}/change/?_changelist_filters=provider%3Dprocountor"' in page


@pytest.mark.parametrize("name", ["tenancy_tenant", "members_user", "admin_logentry"])
def test_pages_of_a_list_follow_each_other_without_losing_or_repeating_one(
    house: House, support: Any, ada: Any, name: str
) -> None:
    Tenant.objects.bulk_create(Tenant(slug=f"more-{n:03}", name=f"More ~ {n % 7}") for n in range(120))
    for number in range(120):
        person(f"more-{number:03}@aamu.example")
    for number in range(120):
        LogEntry.objects.create(user=ada, object_id=str(number), object_repr=f"more-{number:03}", action_flag=CHANGE)
    names_read, address, pages = [], address_of(name), 0
    while address:
        page = Page(support.get(address).content)
        names_read += re.findall(r"more-\d{3}", " ".join(page.rows))
        following = page.links.get("Next page") or page.links.get("Older", "")
        address = address_of(name) + following if following else ""
        pages += 1
    assert pages == 3
    assert len(set(names_read)) == 120
    assert all(names_read.count(each) == names_read.count(names_read[0]) for each in names_read)


# -- times in links ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["transport_requestlogentry", "tenancy_auditevent", "tenancy_systemauditevent"])
@pytest.mark.parametrize("span", ["1h", "24h", "7d", "30d"])
def test_a_time_counted_back_from_now_becomes_a_moment(house: House, support: Any, name: str, span: str) -> None:
    answer = support.get(address_of(name), {"since": span, "q": "aamu"})
    assert answer.status_code == 302
    query = parse_qs(urlsplit(answer["Location"]).query)
    assert query["q"] == ["aamu"]
    hours = {"1h": 1, "24h": 24, "7d": 7 * 24, "30d": 30 * 24}[span]
    since = datetime.fromisoformat(query["since"][0])
    assert abs(timezone.now() - timedelta(hours=hours) - since) < timedelta(minutes=1)
    page = Page(support.get(answer["Location"]).content)
    assert "from" in page.text
    assert not [each for each in page.addresses if "since=2" not in each and "before=" in each]


def test_a_link_that_was_kept_shows_the_same_tomorrow(
    house: House, support: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = support.get(address_of("transport_requestlogentry"), {"since": "1h"})["Location"]
    assert "GET /invoices" in Page(support.get(link).content).text
    at = house.entry.at
    # A day later the entry is a day old; the link is the same.
    monkeypatch.setattr("portal.support.read_only_admin.timezone.now", lambda: at + timedelta(days=1))
    assert "GET /invoices" in Page(support.get(link).content).text


def test_a_day_is_the_readers_and_stays_that_for_whoever_gets_the_link(house: House, support: Any, dana: Any) -> None:
    answer = support.get(address_of("tenancy_systemauditevent"), {"day": "2026-06-01"})
    query = parse_qs(urlsplit(answer["Location"]).query)
    assert query == {"since": ["2026-05-31T21:00:00Z"], "until": ["2026-06-01T21:00:00Z"]}, "midnight in Helsinki"
    User.objects.filter(pk=dana.pk).update(time_zone="Asia/Ho_Chi_Minh")
    assert "1 Jun 2026, 04:00:00" in Page(support.get(answer["Location"]).content).text


def test_a_span_between_two_moments_narrows(house: House, support: Any) -> None:
    for minutes in (0, 30, 60):
        log_entry(
            house.tenant,
            house.connection,
            at=timezone.now() - timedelta(minutes=minutes),
            path_template=f"/m{minutes}",
        )
    bounds = [(timezone.now() - timedelta(minutes=each)).strftime("%Y-%m-%dT%H:%M:%SZ") for each in (45, 15)]
    page = Page(support.get(address_of("transport_requestlogentry"), {"since": bounds[0], "until": bounds[1]}).content)
    assert [row for row in page.rows if "GET" in row] == [row for row in page.rows if "m30" in row]
    assert [row for row in page.rows if "m30" in row]


# -- the tenant's name -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("typed", ["amu", "AAMU O", "aamu", "Aamu Oy"])
def test_a_tenant_is_filtered_by_a_part_of_its_name(house: House, kaste: Any, support: Any, typed: str) -> None:
    page = Page(support.get(address_of("transport_requestlogentry"), {"tenant": typed}).content)
    assert [row for row in page.rows if "Aamu Oy" in row]


def test_where_several_go_by_it_each_is_offered(house: House, kaste: Any, support: Any) -> None:
    page = Page(support.get(address_of("transport_requestlogentry"), {"tenant": "oy", "status": "401"}).content)
    assert "tenant=aamu" in page.links["Aamu Oy"]
    assert "status=401" in page.links["Aamu Oy"], "the other filters stay"
    assert "tenant=kaste" in page.links["Kaste Oy"]
    assert "All that go by this" not in page.links


def test_where_very_many_go_by_it_all_are_a_press_away(house: House, support: Any) -> None:
    Tenant.objects.bulk_create(Tenant(slug=f"kauppa-{number:03}", name=f"Kauppa {number:03}") for number in range(111))
    page = Page(support.get(address_of("transport_requestlogentry"), {"tenant": "kauppa"}).content)
    assert "More than 100 go by this" in page.text
    assert page.links["All that go by this"] == address_of("tenancy_tenant") + "?q=kauppa"


def test_a_person_is_filtered_by_a_part_of_the_address(house: House, support: Any, alice: Any) -> None:
    page = Page(support.get(address_of("tenancy_auditevent"), {"person": "alice@"}).content)
    assert [row for row in page.rows if alice.email in row]


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        (lambda house, alice: str(house.connection.id), "connection.opened"),
        (lambda house, alice: "connection.opened", "connection.opened"),
        (lambda house, alice: "connection", "connection.opened"),
        (lambda house, alice: "alice@", "connection.opened"),
        (lambda house, alice: str(house.event.id), "member.invited"),
        (lambda house, alice: str(house.event.id)[:8], "member.invited"),
    ],
    ids=["subject", "action", "beginning", "part of the person", "event", "short event"],
)
def test_an_audit_trail_is_searched_one_reading_after_the_other(
    house: House, support: Any, alice: Any, typed: Callable[..., str], text: str
) -> None:
    page = Page(support.get(address_of("tenancy_auditevent"), {"q": typed(house, alice)}).content)
    assert [row for row in page.rows if text in row]


def test_what_is_found_in_no_trail_is_not_all_of_it(house: House, support: Any) -> None:
    assert SystemAuditEvent.objects.exists()
    page = Page(support.get(address_of("tenancy_systemauditevent"), {"q": "nobody-knows-this"}).content)
    assert "Nothing here." in page.text
