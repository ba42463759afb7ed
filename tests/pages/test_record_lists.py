"""What was read, as a member meets it: browsed from change to change, found by what begins alike, one record with its history."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from html import unescape
from typing import Any

import pytest
from django.contrib import admin
from django.db import ProgrammingError, transaction
from django.db import connection as database
from django.urls import reverse
from django.utils import timezone as django_timezone

from connections.spec.columns import searchable
from connections.sync.models import Record, RecordVersion, StreamCursor
from connections.tenancy.scope import tenant_scope
from portal.records import listing
from tests.pages.invoices import invoice
from tests.roles import acting_as

ROW = re.compile(r'<a href="/t/aamu/c/[^"]+/records/invoices/record/\?id=([^"]*)">')
DAY = timedelta(days=1)


def listed(answer: Any) -> list[str]:
    assert answer.status_code == 200
    return ROW.findall(answer.content.decode())


def link(answer: Any, rel: str) -> str:
    match = re.search(rf'rel="{rel}" href="([^"]+)"', answer.content.decode())
    return unescape(match[1]) if match else ""


def test_the_newest_changes_come_first_and_every_record_once_in_both_directions(
    viewer: Any, invoices: str, keep_invoices: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "RECORDS_SHOWN", 3)
    keep_invoices(invoice(number) for number in range(1, 9))
    keep_invoices([invoice(4, status="PAID")])
    pages, address = [], invoices
    while address:
        answer = viewer.get(address)
        pages.append(listed(answer))
        step = link(answer, "next")
        address = f"{invoices}{step}" if step else ""
    assert pages == [["4", "8", "7"], ["6", "5", "3"], ["2", "1"]]
    back = [listed(answer)]
    while step := link(answer, "prev"):
        answer = viewer.get(f"{invoices}{step}")
        back.append(listed(answer))
    assert back == pages[::-1]
    assert listed(viewer.get(f"{invoices}{step}")) == pages[0]


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
    viewer: Any, invoices: str, keep_invoices: Callable[..., None], by: str, q: str, ids: list[str]
) -> None:
    keep_invoices(invoice(number) for number in range(1, 13))
    answer = viewer.get(invoices, {"by": by, "q": q})
    assert listed(answer) == ids
    assert ("No record begins like that." in answer.content.decode()) is not bool(ids)


def test_a_search_goes_on_over_pages_where_many_values_are_the_same(
    viewer: Any, invoices: str, keep_invoices: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "RECORDS_SHOWN", 2)
    keep_invoices({"id": number, "invoiceNumber": "A~7" if number < 6 else "A~8"} for number in range(1, 8))
    keep_invoices([{"id": 9, "invoiceNumber": "B"}])
    answer, ids = viewer.get(invoices, {"by": "1", "q": "a"}), []
    while True:
        ids.append(listed(answer))
        if not (step := link(answer, "next")):
            break
        answer = viewer.get(f"{invoices}{step}")
    assert ids == [["1", "2"], ["3", "4"], ["5", "6"], ["7"]]
    assert listed(viewer.get(f"{invoices}{link(answer, 'prev')}")) == ["5", "6"]


def test_what_changed_since_a_day_and_what_is_gone(
    viewer: Any, invoices: str, keep_invoices: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "RECORDS_SHOWN", 2)
    keep_invoices(invoice(number) for number in range(1, 8))
    now = django_timezone.now().replace(hour=12)  # the same day in every reader's zone
    for number in range(1, 8):
        Record.objects.filter(external_id=str(number)).update(changed_at=now - DAY * (10 - number))
    Record.objects.filter(external_id="2").update(gone_at=now - DAY * 2)
    Record.objects.filter(external_id="5").update(gone_at=now - DAY)
    since = (now - DAY * 5).date().isoformat()
    first = viewer.get(invoices, {"since": since})
    second = viewer.get(f"{invoices}{link(first, 'next')}")
    assert (listed(first), listed(second)) == (["7", "6"], ["5"])
    assert link(second, "next") == ""
    assert listed(viewer.get(f"{invoices}{link(second, 'prev')}")) == ["7", "6"]
    gone = viewer.get(invoices, {"show": "gone"})
    assert listed(gone) == ["5", "2"]
    assert gone.content.decode().count('<span class="tag">gone</span>') == 2
    assert listed(viewer.get(invoices, {"show": "gone", "since": (now - DAY).date().isoformat()})) == ["5"]
    none = viewer.get(invoices, {"since": (now + DAY * 2).date().isoformat()})
    assert listed(none) == []
    assert "No record is like that." in none.content.decode()


def test_what_cannot_be_looked_for_is_said(viewer: Any, invoices: str, keep_invoices: Callable[..., None]) -> None:
    keep_invoices([invoice(1)])
    for query, words in (
        ({"since": "2026-02-30"}, "Enter a valid date."),
        ({"by": "2", "q": "\u200f"}, "Type a letter or a digit to look for."),
        ({"by": "2", "q": ""}, "This field is required."),
        ({"by": "body", "q": "x"}, "Select a valid choice."),
        ({"show": "everything"}, "Select a valid choice."),
    ):
        page = viewer.get(invoices, query).content.decode()
        assert words in page, query


def test_a_list_that_was_not_read_says_what_to_do(viewer: Any, invoices: str, books: Any, keep_invoices: Any) -> None:
    assert "This list was not read from Procountor yet." in viewer.get(invoices).content.decode()
    StreamCursor(tenant=books.tenant, connection=books, stream="invoices").save(force_insert=True)
    assert "Nothing of this list has come yet." in viewer.get(invoices).content.decode()
    keep_invoices([])
    assert "Procountor has nothing in it." in viewer.get(invoices).content.decode()


def test_a_list_that_is_not_filled_yet_is_searched_by_id_alone(viewer: Any, invoices: str, keep_invoices: Any) -> None:
    keep_invoices([invoice(1)])
    StreamCursor.objects.update(searched_by="")
    page = viewer.get(invoices, {"by": "1", "q": "1001"}).content.decode()
    assert "until then they are found by their id alone" in page
    assert "Select a valid choice." in page
    assert listed(viewer.get(invoices, {"by": "id", "q": "1"})) == ["1"]


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
def test_a_position_that_is_none_shows_the_beginning(
    viewer: Any, invoices: str, keep_invoices: Any, position: str
) -> None:
    keep_invoices([invoice(1), invoice(2)])
    for name in ("after", "before"):
        assert listed(viewer.get(invoices, {name: position})) == ["2", "1"]
        for query in ({"by": "2", "q": "halla"}, {"by": "id", "q": "1"}, {"show": "gone"}):
            assert viewer.get(invoices, {**query, name: position}).status_code == 200
            assert viewer.get(invoices, {**query, name: f'["{position}", "x"]'}).status_code == 200


def test_the_form_of_a_value_is_the_one_that_is_stored() -> None:
    assert searchable("Halla 1 Oy") == "halla 1 oy"


def test_a_time_that_no_calendar_has_is_no_position(viewer: Any, invoices: str, keep_invoices: Any) -> None:
    keep_invoices([invoice(1)])
    Record.objects.update(gone_at=datetime(2026, 1, 1, tzinfo=timezone.utc))
    for at in ("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-01-01"):
        for name in ("after", "before"):
            answer = viewer.get(invoices, {"show": "gone", name: json.dumps([at, "1"])})
            assert answer.status_code == 200


def test_no_staff_page_shows_records_and_no_right_of_staff_leads_to_them(
    sign_in: Callable[..., Any], ada: Any, invoices: str, keep_invoices: Any, books: Any
) -> None:
    secret = "Salainen-Kirjanpito"
    keep_invoices([{**invoice(7), "notes": secret, "invoiceNumber": secret}])
    keep_invoices([{**invoice(7), "notes": f"{secret} 2", "invoiceNumber": secret}])
    assert not {Record, RecordVersion} & set(admin.site._registry)
    staff = sign_in(ada)
    assert staff.get(invoices).status_code == staff.get(f"{invoices}record/?id=7").status_code == 404
    pages = [reverse("admin:index"), *(f"{reverse('admin:search')}?q={each}" for each in (secret, "7", books.id))]
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        pages.append(reverse(f"{name}_changelist"))
        pages += [
            reverse(f"{name}_change", args=[pk]) for pk in model._default_manager.values_list("pk", flat=True)[:3]
        ]
    assert len(pages) > 15
    for address in pages:
        # A search repeats what was looked for; its results name nothing.
        page = staff.get(address, follow=True).content.decode().replace(f'value="{secret}"', "")
        assert f"{secret} 2" not in page, address
    for table in ("sync_record", "sync_recordversion"):
        with acting_as("staff"), pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
            with database.cursor() as cursor:
                cursor.execute(f"SELECT search_1 FROM {table}" if table == "sync_record" else f"SELECT * FROM {table}")


def test_the_web_reads_records_of_its_tenant_alone_and_writes_none(keep_invoices: Any, books: Any, kaste: Any) -> None:
    keep_invoices([invoice(7)])
    keep_invoices([invoice(7, status="PAID")])
    for tenant_id, count in ((books.tenant_id, 1), (kaste.id, 0)):
        with acting_as("web"), tenant_scope(tenant_id):
            assert Record.objects.count() == RecordVersion.objects.count() == count
            assert Record.objects.filter(search_1="1007").count() == count
    for sql in (
        "UPDATE sync_record SET search_1 = 'x'",
        "DELETE FROM sync_record",
        "UPDATE sync_streamcursor SET searched_by = ''",
    ):
        with acting_as("web"), pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
            with tenant_scope(books.tenant_id), database.cursor() as cursor:
                cursor.execute(sql)
