"""The request log for staff: every way to narrow it, pages without counting, the same few queries however long it is."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from connections.tenancy.scope import SYSTEM, tenant_scope
from connections.vault.services import bind_company, open_connection
from tests.support.conftest import House, log_entry
from tests.support.pages import Page

LIST = "admin:transport_requestlogentry_changelist"


@pytest.fixture
def look(sign_in: Callable[..., Any], dana: Any) -> Callable[..., Page]:
    """`look(q="401")` is the list as support sees it."""
    browser = sign_in(dana)

    def see(**query: str) -> Page:
        answer = browser.get(reverse(LIST), query, follow=True)
        assert answer.status_code == 200, answer.headers
        return Page(answer.content)

    return see


@pytest.fixture
def search_for(sign_in: Callable[..., Any], dana: Any) -> Callable[[str], Any]:
    browser = sign_in(dana)
    return lambda typed: browser.get(reverse("admin:search"), {"q": typed})


@pytest.fixture
def elsewhere(kaste: Any, house: House) -> Any:
    """A connection of another tenant, with a request of its own an hour ago."""
    with tenant_scope(kaste.id):
        connection = open_connection(tenant=kaste, provider="procountor", environment="test", actor=SYSTEM)
        bind_company(connection=connection, company_id="0815", company_name="Kasteen Kauppa Oy")
    return log_entry(
        kaste,
        connection,
        at=timezone.now() - timedelta(hours=2),
        status=503,
        outcome="troubled",
        path_template="/businesspartners",
        provider_request_id="kaste-request-1",
        run_id=uuid.uuid4(),
    )


def body(page: Page) -> list[str]:
    return [row for row in page.rows if "GET" in row]


def test_it_shows_every_tenants_requests_newest_first(house: House, elsewhere: Any, look: Any) -> None:
    first, second = body(look())
    assert "Aamu Oy" in first
    assert "401" in first
    assert "Kaste Oy" in second


@pytest.mark.parametrize(
    "typed",
    [
        lambda entry: str(entry.id),
        lambda entry: f"  {entry.id}  ",
        lambda entry: entry.id.hex.upper(),
        lambda entry: entry.provider_request_id,
        lambda entry: str(entry.run_id),
        lambda entry: str(entry.connection_id),
        lambda entry: "503",
        lambda entry: "kaste",
        lambda entry: "Kaste Oy",
        lambda entry: "kast",
        lambda entry: "0815",
    ],
    ids=["entry", "blanks", "hex", "request", "run", "connection", "status", "slug", "name", "part", "company"],
)
def test_whatever_is_pasted_finds_it(house: House, elsewhere: Any, look: Any, typed: Callable[[Any], str]) -> None:
    [row] = body(look(q=typed(elsewhere)))
    assert "Kaste Oy" in row


@pytest.mark.parametrize("typed", ["nobody", "418", str(uuid.UUID(int=7)), "'; DROP TABLE transport_entry; --", "%"])
def test_what_is_not_there_is_not_found(house: House, elsewhere: Any, look: Any, typed: str) -> None:
    page = look(q=typed)
    assert body(page) == []
    assert "Nothing here." in page.text


@pytest.mark.parametrize("form", [str, lambda key: key.hex])
def test_a_request_id_that_looks_like_one_of_ours_is_found(
    house: House, elsewhere: Any, look: Any, search_for: Callable[[str], Any], form: Callable[[uuid.UUID], str]
) -> None:
    """Many providers number their requests with UUIDs."""
    theirs = form(uuid.uuid4())
    entry = log_entry(house.tenant, house.connection, provider_request_id=theirs)
    assert len(body(look(q=theirs))) == 1
    assert search_for(theirs)["Location"] == reverse("admin:transport_requestlogentry_change", args=[entry.id])


def test_an_entry_id_is_asked_for_by_equality(
    house: House, elsewhere: Any, sign_in: Callable[..., Any], dana: Any
) -> None:
    browser = sign_in(dana)
    with CaptureQueriesContext(database) as queries:
        browser.get(reverse(LIST), {"q": str(elsewhere.id)})
    questions = [query["sql"] for query in queries if "transport_entry" in query["sql"]]
    assert len(questions) == 3, "whether it is an entry's, whether it is a provider's, and the list"
    by_id, by_number = f"\"id\" IN ('{elsewhere.id.hex}'", '"provider_request_id" IN ('
    assert all(by_id in question or by_number in question for question in questions), questions
    assert not any("LIKE" in question or "COUNT" in question for question in questions)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"tenant": "kaste"}, ["Kaste Oy"]),
        ({"tenant": "Kaste oy"}, ["Kaste Oy"]),
        ({"tenant": "nobody"}, []),
        ({"provider": "procountor"}, ["Aamu Oy", "Kaste Oy"]),
        ({"provider": "hesabit"}, []),
        ({"environment": "test"}, ["Kaste Oy"]),
        ({"outcome": "refused"}, ["Aamu Oy"]),
        ({"outcome": "troubled"}, ["Kaste Oy"]),
        ({"status": "401"}, ["Aamu Oy"]),
        ({"status": "5xx"}, ["Kaste Oy"]),
        ({"status": "none"}, []),
        ({"connection": "0815"}, ["Kaste Oy"]),
        ({"connection": "4711"}, ["Aamu Oy"]),
        ({"connection": "nothing of the kind"}, []),
        ({"operation": "invoices.list"}, ["Aamu Oy", "Kaste Oy"]),
        ({"operation": "invoices"}, []),
        ({"fault": "api-key-refused"}, ["Aamu Oy"]),
        ({"checkpoint": "api-key"}, []),
        ({"slower": "11"}, ["Aamu Oy", "Kaste Oy"]),
        ({"slower": "12"}, []),
        ({"slower": "long"}, ["Aamu Oy", "Kaste Oy"]),
        ({"attempts": "1"}, []),
        ({"attempts": "0"}, ["Aamu Oy", "Kaste Oy"]),
        ({"status": "abc"}, ["Aamu Oy", "Kaste Oy"]),
        ({"since": "1h"}, ["Aamu Oy"]),
        ({"since": "24h"}, ["Aamu Oy", "Kaste Oy"]),
        ({"tenant": "kaste", "status": "503", "since": "24h", "q": "kaste-request-1"}, ["Kaste Oy"]),
        ({"tenant": "aamu", "q": "kaste-request-1"}, []),
    ],
)
def test_filters_narrow_it(
    house: House, elsewhere: Any, look: Any, query: dict[str, str], expected: list[str]
) -> None:
    tenants = [next(name for name in ("Aamu Oy", "Kaste Oy") if name in row) for row in body(look(**query))]
    assert tenants == expected


def test_a_parameter_nobody_offers_is_not_a_way_into_other_columns(
    house: House, sign_in: Callable[..., Any], dana: Any
) -> None:
    answer = sign_in(dana).get(reverse(LIST), {"connection__credentials__hint": "7f3a"})
    assert answer.status_code == 400


def test_pages_follow_each_other_without_losing_or_repeating_one(
    house: House, sign_in: Callable[..., Any], dana: Any
) -> None:
    same = timezone.now() - timedelta(minutes=5)
    ids = {house.entry.id}
    for number in range(250):
        # Many of one instant: where a page ends in their middle, the id decides.
        at = same if number % 2 else same - timedelta(seconds=number)
        ids.add(log_entry(house.tenant, house.connection, at=at, provider_request_id=f"n{number}").id)
    browser = sign_in(dana)
    address, ids_read, pages = reverse(LIST), [], 0
    while address:
        page = Page(browser.get(address).content)
        pages += 1
        keys = [
            link.split("/")[-3] for link in page.addresses if link.startswith(reverse(LIST)) and "/change/" in link
        ]
        ids_read += [uuid.UUID(key) for key in keys]
        query = page.links.get("Older", "")
        address = reverse(LIST) + query if query else ""
        assert ("Newest" in page.links) is (pages > 1)
    assert pages == 3
    assert len(ids_read) == len(set(ids_read))
    assert set(ids_read) == ids


@pytest.mark.parametrize("position", ["nonsense", "2026-01-01~x", "~", f"2026-01-01T00:00:00~{uuid.UUID(int=7)}"])
def test_a_position_that_is_none_is_the_newest_page(house: House, look: Any, position: str) -> None:
    assert len(body(look(before=position))) == 1


def test_a_page_leads_back_to_the_one_before_it(house: House, sign_in: Callable[..., Any], dana: Any) -> None:
    for number in range(250):
        log_entry(house.tenant, house.connection, at=timezone.now() - timedelta(minutes=1, seconds=number))
    browser = sign_in(dana)

    def read(query: str) -> Page:
        return Page(browser.get(reverse(LIST) + query).content)

    first = read("")
    second = read(first.links["Older"])
    third = read(second.links["Older"])
    assert "Newer" not in first.links
    assert body(read(third.links["Newer"])) == body(second)
    assert body(read(read(third.links["Newer"]).links["Newer"])) == body(first)


def test_without_a_time_it_is_the_last_day_unless_the_rows_are_named(house: House, look: Any) -> None:
    run = uuid.uuid4()
    log_entry(house.tenant, house.connection, at=timezone.now() - timedelta(hours=30), run_id=run, status=418)
    assert len(body(look())) == 1
    assert len(body(look(since="7d"))) == 2
    assert len(body(look(run=str(run)))) == 1
    assert len(body(look(q="418"))) == 1


def test_the_log_is_asked_for_no_more_months_than_its_span(
    house: House, sign_in: Callable[..., Any], dana: Any
) -> None:
    browser = sign_in(dana)
    for query in ({}, {"outcome": "refused"}, {"provider": "procountor", "environment": "test"}, {"fault": "timeout"}):
        with CaptureQueriesContext(database) as queries:
            assert browser.get(reverse(LIST), query).status_code == 200
        listing = next(each["sql"] for each in queries if 'FROM "transport_entry"' in each["sql"])
        with database.cursor() as cursor:
            cursor.execute(f"EXPLAIN {listing}")
            plan = " ".join(line for (line,) in cursor.fetchall())
        partitions_in_plan = set(re.findall(r"on (transport_entry_\d{4}_\d\d)", plan))
        assert 1 <= len(partitions_in_plan) <= 2, plan


def test_a_followed_list_asks_again_and_is_paused_by_a_link(house: House, look: Any) -> None:
    page = look(outcome="refused")
    followed = look(outcome="refused", follow="1")
    assert "follow=1" in page.links["Follow live"]
    assert "New requests appear by themselves." in followed.text
    assert followed.links["Pause"] == "?outcome=refused"


def test_the_next_page_keeps_the_filters_and_a_new_filter_starts_anew(house: House, look: Any) -> None:
    for number in range(101):
        log_entry(house.tenant, house.connection, at=timezone.now() - timedelta(seconds=number), status=429)
    page = look(status="429")
    assert "status=429" in page.links["Older"]
    position = page.links["Older"].split("before=")[1].split("&")[0]
    older = look(status="429", before=position.replace("%3A", ":").replace("%2B", "+").replace("%7E", "~"))
    assert "before" not in older.links["Newest"]
    assert "before" not in older.links["refused"]


def test_the_same_few_queries_however_long_it_is(house: House, sign_in: Callable[..., Any], dana: Any) -> None:
    browser = sign_in(dana)
    browser.get(reverse(LIST))

    def asked_of_the_database() -> list[str]:
        with CaptureQueriesContext(database) as queries:
            assert browser.get(reverse(LIST)).status_code == 200
        return [query["sql"] for query in queries]

    few = asked_of_the_database()
    for number in range(120):
        log_entry(house.tenant, house.connection, at=timezone.now() - timedelta(seconds=number))
    many = asked_of_the_database()
    assert len(many) == len(few)
    assert len(many) <= 24, "session, scopes and savepoints included"
    assert not any("COUNT(" in question for question in many)
    [listing] = [question for question in many if 'FROM "transport_entry"' in question]
    assert "LIMIT 101" in listing


def test_an_entry_shows_the_attempts_around_it(house: House, sign_in: Callable[..., Any], dana: Any) -> None:
    base = timezone.now() - timedelta(minutes=1)
    entries = [
        log_entry(house.tenant, house.connection, at=base + timedelta(seconds=n), path_template=f"/{n}")
        for n in range(12)
    ]
    answer = sign_in(dana).get(reverse("admin:transport_requestlogentry_change", args=[entries[6].id]))
    around = [row.split("GET /")[1].split(" ")[0] for row in Page(answer.content).rows if "GET /" in row]
    assert around == ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"]


def test_an_entry_says_what_its_fault_means(house: House, sign_in: Callable[..., Any], dana: Any) -> None:
    answer = sign_in(dana).get(reverse("admin:transport_requestlogentry_change", args=[house.entry.id]))
    text = Page(answer.content).text
    assert "the key is wrong or revoked" in text
    assert str(house.run.id) in text
    assert house.entry.provider_request_id in text


def test_an_entry_whose_provider_is_gone_still_opens(house: House, sign_in: Callable[..., Any], dana: Any) -> None:
    entry = log_entry(house.tenant, house.connection, provider="gone", environment="moon", fault="who-knows")
    answer = sign_in(dana).get(reverse("admin:transport_requestlogentry_change", args=[entry.id]))
    assert answer.status_code == 200
    assert "who-knows" in Page(answer.content).text
