"""What was read, as a member meets it: browsed from change to change, found by what begins alike, one record with its history."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta, timezone
from html import unescape
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.utils import timezone as django_timezone

from connections.providers import registry
from connections.spec.columns import searchable
from connections.sync import upsert
from connections.sync.models import Record, RecordVersion, StreamCursor, SyncRun, Trigger
from connections.sync.searching import searched_by
from connections.tenancy.scope import SYSTEM, tenant_scope
from connections.transport.models import RequestLogEntry
from connections.vault.services import mark_healthy, open_connection
from portal.records import listing
from tests.roles import acting_as

ROW = re.compile(r'<a href="/t/aamu/c/[^"]+/records/invoices/record/\?id=([^"]*)">')
DAY = timedelta(days=1)


@pytest.fixture
def connection(db: None, aamu: Any) -> Any:
    with tenant_scope(aamu.id):
        opened = open_connection(tenant=aamu, provider="procountor", environment="test", actor=SYSTEM)
        mark_healthy(connection=opened)
    return opened


@pytest.fixture
def client(sign_in: Callable[..., Any], vera: Any) -> Any:
    """A viewer may do all of this."""
    return sign_in(vera)


@pytest.fixture
def place(connection: Any) -> str:
    return f"/t/aamu/c/{connection.id}/records/invoices/"


@pytest.fixture
def keep(connection: Any) -> Callable[..., None]:
    """`keep(records, entry_id)` stores them as a worker does, and says that the list was read."""
    stream = next(each for each in registry.all_providers()["procountor"].streams if each.name == "invoices")

    def write(records: Iterable[dict[str, Any]] | str, entry_id: UUID | None = None) -> None:
        document = records if isinstance(records, str) else json.dumps(list(records))
        with acting_as("worker"), tenant_scope(connection.tenant_id):
            upsert.write(
                connection=connection,
                stream="invoices",
                key="id",
                document=document,
                searched=[column.steps for column in stream.searched],
                entry_id=entry_id,
            )
        StreamCursor.objects.update_or_create(
            tenant=connection.tenant,
            connection=connection,
            stream="invoices",
            defaults={
                "records": Record.objects.count(),
                "read_at": django_timezone.now(),
                "searched_by": searched_by(stream),
            },
        )

    return write


def invoice(number: int, **more: Any) -> dict[str, Any]:
    partner = {"counterPartyAddress": {"name": f"Halla {number} Oy"}}
    return {"id": number, "invoiceNumber": 1000 + number, "counterParty": partner, **more}


def listed(answer: Any) -> list[str]:
    assert answer.status_code == 200
    return ROW.findall(answer.content.decode())


def link(answer: Any, rel: str) -> str:
    match = re.search(rf'rel="{rel}" href="([^"]+)"', answer.content.decode())
    return unescape(match[1]) if match else ""


def test_the_newest_changes_come_first_and_every_record_once_in_both_directions(
    client: Any, place: str, keep: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "RECORDS_SHOWN", 3)
    keep(invoice(number) for number in range(1, 9))
    keep([invoice(4, status="PAID")])
    pages, address = [], place
    while address:
        answer = client.get(address)
        pages.append(listed(answer))
        step = link(answer, "next")
        address = f"{place}{step}" if step else ""
    assert pages == [["4", "8", "7"], ["6", "5", "3"], ["2", "1"]]
    back = [listed(answer)]
    while step := link(answer, "prev"):
        answer = client.get(f"{place}{step}")
        back.append(listed(answer))
    assert back == pages[::-1]
    assert listed(client.get(f"{place}{step}")) == pages[0]


@pytest.mark.parametrize(
    ("by", "q", "ids"),
    [
        ("id", "1", ["1", "10", "11", "12"]),
        ("id", "12", ["12"]),
        ("id", "x", []),
        ("1", "1002", ["2"]),
        ("1", "101", ["10", "11", "12"]),
        ("2", " HALLA  1", ["1", "10", "11", "12"]),
        ("2", "halla 7 oy", ["7"]),
        ("2", "oy", []),
        ("2", "%", []),
    ],
)
def test_records_are_found_by_what_begins_alike(
    client: Any, place: str, keep: Callable[..., None], by: str, q: str, ids: list[str]
) -> None:
    keep(invoice(number) for number in range(1, 13))
    answer = client.get(place, {"by": by, "q": q})
    assert listed(answer) == ids
    assert ("No record begins like that." in answer.content.decode()) is not bool(ids)


def test_a_search_goes_on_over_pages_where_many_values_are_the_same(
    client: Any, place: str, keep: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "RECORDS_SHOWN", 2)
    keep({"id": number, "invoiceNumber": "A~7" if number < 6 else "A~8"} for number in range(1, 8))
    keep([{"id": 9, "invoiceNumber": "B"}])
    answer, ids = client.get(place, {"by": "1", "q": "a"}), []
    while True:
        ids.append(listed(answer))
        if not (step := link(answer, "next")):
            break
        answer = client.get(f"{place}{step}")
    assert ids == [["1", "2"], ["3", "4"], ["5", "6"], ["7"]]
    assert listed(client.get(f"{place}{link(answer, 'prev')}")) == ["5", "6"]


def test_what_changed_since_a_day_and_what_is_gone(
    client: Any, place: str, keep: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "RECORDS_SHOWN", 2)
    keep(invoice(number) for number in range(1, 8))
    now = django_timezone.now().replace(hour=12)  # the same day in every reader's zone
    for number in range(1, 8):
        Record.objects.filter(external_id=str(number)).update(changed_at=now - DAY * (10 - number))
    Record.objects.filter(external_id="2").update(gone_at=now - DAY * 2)
    Record.objects.filter(external_id="5").update(gone_at=now - DAY)
    since = (now - DAY * 5).date().isoformat()
    first = client.get(place, {"since": since})
    second = client.get(f"{place}{link(first, 'next')}")
    assert (listed(first), listed(second)) == (["7", "6"], ["5"])
    assert link(second, "next") == ""
    assert listed(client.get(f"{place}{link(second, 'prev')}")) == ["7", "6"]
    gone = client.get(place, {"show": "gone"})
    assert listed(gone) == ["5", "2"]
    assert gone.content.decode().count('<span class="tag">gone</span>') == 2
    assert listed(client.get(place, {"show": "gone", "since": (now - DAY).date().isoformat()})) == ["5"]
    none = client.get(place, {"since": (now + DAY * 2).date().isoformat()})
    assert listed(none) == []
    assert "No record is like that." in none.content.decode()


def test_what_cannot_be_looked_for_is_said(client: Any, place: str, keep: Callable[..., None]) -> None:
    keep([invoice(1)])
    for query, words in (
        ({"since": "2026-02-30"}, "Enter a valid date."),
        ({"by": "2", "q": "\u200f"}, "Type a letter or a digit to look for."),
        ({"by": "2", "q": ""}, "This field is required."),
        ({"by": "body", "q": "x"}, "Select a valid choice."),
        ({"show": "everything"}, "Select a valid choice."),
    ):
        page = client.get(place, query).content.decode()
        assert words in page, query


def test_a_list_that_was_not_read_says_what_to_do(client: Any, place: str, connection: Any, keep: Any) -> None:
    assert "This list was not read from Procountor yet." in client.get(place).content.decode()
    StreamCursor(tenant=connection.tenant, connection=connection, stream="invoices").save(force_insert=True)
    assert "Nothing of this list has come yet." in client.get(place).content.decode()
    keep([])
    assert "Procountor has nothing in it." in client.get(place).content.decode()


def test_a_list_that_is_not_filled_yet_is_searched_by_id_alone(client: Any, place: str, keep: Any) -> None:
    keep([invoice(1)])
    StreamCursor.objects.update(searched_by="")
    page = client.get(place, {"by": "1", "q": "1001"}).content.decode()
    assert "until then they are found by their id alone" in page
    assert "Select a valid choice." in page
    assert listed(client.get(place, {"by": "id", "q": "1"})) == ["1"]


def test_a_record_is_shown_in_words_with_every_digit(client: Any, place: str, keep: Any) -> None:
    keep(
        '[{"id": 7, "invoiceNumber": 1007, "date": "2025-03-04", "created": "2025-03-04T08:05:00", "isOffer": false,'
        ' "invoiceSumInfo": [{"currency": "EUR", "invoiceSumTotal": 1200.50}, {"currency": "SEK", "invoiceSumTotal": 1E+2}],'
        ' "notes": null, "tags": ["a", "b"], "deep": {"er": {"number": 12345678901234567890.10}}, "lines": [],'
        ' "html": "<b>\\u202ebold</b>", "originalInvoiceNumber": "T\\n2"}]'
    )
    answer = client.get(f"{place}record/", {"id": "7"})
    page = answer.content.decode()
    content = answer.context["detail"].content
    rows = {str(row.label): row.text for row in content.fields}
    assert rows["Number"] == "1007"
    assert rows["Date"] == "4 Mar 2025"
    assert rows["Created"] == "4 Mar 2025, 08:05"
    assert rows["Offer"] == "no"
    assert rows["Total"] == "1200.50"
    assert rows["tags"] == "a, b"
    assert rows["deep.er.number"] == "12345678901234567890.10"
    assert [(table.label, table.rows) for table in content.lists] == [
        ("invoiceSumInfo", [["EUR", "1200.50"], ["SEK", "1E+2"]])
    ]
    assert {"notes", "lines"} <= {str(label) for label in content.empty}
    assert "&lt;b&gt;[U+202E]bold&lt;/b&gt;" in page
    assert "<b>" not in page
    assert "T\n2" in page
    shown = client.get(f"{place}record/json/", {"id": "7"}).content.decode()
    assert "&quot;invoiceSumTotal&quot;: 1200.50" in shown
    assert "&quot;number&quot;: 12345678901234567890.10" in shown
    assert "[U+202E]" in shown


def test_its_history_says_what_changed_and_which_request_brought_it(
    client: Any, place: str, keep: Any, connection: Any
) -> None:
    run = SyncRun(tenant=connection.tenant, connection=connection, trigger=Trigger.HAND)
    run.save(force_insert=True)
    entry = RequestLogEntry(
        id=uuid4(), at=django_timezone.now(), tenant=connection.tenant, connection=connection, duration_ms=1
    )
    entry.run_id, entry.operation, entry.outcome = run.id, "invoices.list", "answered"
    entry.save(force_insert=True)
    keep([invoice(7, status="SENT", sum=1.0)])
    keep([invoice(7, status="PAID", sum=1.0, lines=[{"n": 1}])], entry.id)
    keep([invoice(7, status="PAID", sum=1.5, lines=[{"n": 2}])], uuid4())
    answer = client.get(f"{place}record/", {"id": "7"})
    page = answer.content.decode()
    changes = answer.context["detail"].changes
    assert [
        [(str(each.label), each.before, each.after) for each in change.differences or []] for change in changes
    ] == [
        [("sum", "1.0", "1.5"), ("lines.0.n", "1", "2")],
        [("Status", "SENT", "PAID"), ("lines.0.n", "", "1")],
        [],
    ]
    assert [change.is_first for change in changes] == [False, False, True]
    assert "The request that brought this is not in the log any more." in page
    assert "Which request brought this was not noted at that time." in page
    assert "List: invoices" in page
    assert f"/t/aamu/c/{connection.id}/runs/{run.id}/" in page
    assert str(entry.id) in page


def test_a_long_history_is_read_page_by_page(client: Any, place: str, keep: Any) -> None:
    for number in range(25):
        keep([{"id": 7, "n": number}])
    answers = [client.get(f"{place}record/", {"id": "7"})]
    while older := answers[-1].context["detail"].older:
        answers.append(client.get(f"{place}record/", {"id": "7", "changes": older}))
    seen = [
        (each.before, each.after)
        for answer in answers
        for change in answer.context["detail"].changes
        for each in change.differences or []
    ]
    assert seen == [(str(number - 1), str(number)) for number in range(24, 0, -1)]
    assert [len(answer.context["detail"].changes) for answer in answers] == [10, 10, 5]


def test_what_was_held_longer_ago_than_it_is_kept_is_not_called_the_first(client: Any, place: str, keep: Any) -> None:
    for number in range(3):
        keep([{"id": 7, "n": number}])
    RecordVersion.objects.order_by("change_number").first().delete()  # type: ignore[union-attr]
    changes = client.get(f"{place}record/", {"id": "7"}).context["detail"].changes
    assert [(change.is_first, change.differences is None) for change in changes] == [(False, False), (False, True)]


def test_a_record_beyond_all_measure_is_shown_as_far_as_a_page_reads(client: Any, place: str, keep: Any) -> None:
    from portal.records import record_page

    keep(
        [{"id": 7, "note": "x" * (record_page.LONGEST_BODY + 10)}, {"id": 8, "deep": json.loads("[" * 90 + "]" * 90)}]
    )
    page = client.get(f"{place}record/", {"id": "7"}).content.decode()
    assert "too large, or too deep" in page
    shown = client.get(f"{place}record/json/", {"id": "7"}).content.decode()
    assert "500,000 characters, as they came" in shown
    assert client.get(f"{place}record/", {"id": "8"}).status_code == 200


def test_ids_of_every_shape_are_found_again(client: Any, place: str, keep: Any) -> None:
    ids = ["a/b", "..", "?x=1&y", "ä ö", "%2F", "#7", "<i>", "'", '"']
    keep([{"id": each} for each in ids])
    for each in listed(client.get(place)):
        answer = client.get(f"{place}record/?id={each}")
        assert answer.status_code == 200
        assert answer.context["record"].external_id in ids
        assert client.get(f"{place}record/json/?id={each}").status_code == 200


@pytest.mark.parametrize("query", ["", "?id=", "?id=9", f"?id={'9' * 121}", f"?id={'9' * 4000}"])
def test_an_id_that_is_not_there_is_not_found(client: Any, place: str, keep: Any, query: str) -> None:
    keep([invoice(7)])
    assert client.get(f"{place}record/{query}").status_code == 404
    assert client.get(f"{place}record/json/{query}").status_code == 404


def test_a_stream_that_the_provider_does_not_have_is_not_found(client: Any, place: str) -> None:
    assert client.get(place.replace("invoices", "secrets")).status_code == 404


@pytest.mark.parametrize(
    "position",
    [
        "[",
        "[1, 2]",
        '["x"]',
        "[true]",
        "[-1]",
        f"[{9**40}]",
        "[1.5]",
        '[{"a": 1}]',
        "[" * 390,
        '["\\ud800"]',
        "null",
        "7",
    ],
)
def test_a_position_that_is_none_shows_the_beginning(client: Any, place: str, keep: Any, position: str) -> None:
    keep([invoice(1), invoice(2)])
    for name in ("after", "before"):
        assert listed(client.get(place, {name: position})) == ["2", "1"]
        for query in ({"by": "2", "q": "halla"}, {"by": "id", "q": "1"}, {"show": "gone"}):
            assert client.get(place, {**query, name: position}).status_code == 200
            assert client.get(place, {**query, name: f'["{position}", "x"]'}).status_code == 200


def test_the_form_of_a_value_is_the_one_that_is_stored() -> None:
    assert searchable("Halla 1 Oy") == "halla 1 oy"


def test_a_time_that_no_calendar_has_is_no_position(client: Any, place: str, keep: Any) -> None:
    keep([invoice(1)])
    Record.objects.update(gone_at=datetime(2026, 1, 1, tzinfo=timezone.utc))
    for at in ("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-01-01"):
        for name in ("after", "before"):
            answer = client.get(place, {"show": "gone", name: json.dumps([at, "1"])})
            assert answer.status_code == 200
