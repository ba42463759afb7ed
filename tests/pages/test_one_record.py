"""One record as a member meets it: in labels with every digit, its JSON, and its history with the request of each change."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest
from django.utils import timezone as django_timezone

from connections.sync.models import RecordVersion, SyncRun, Trigger
from connections.transport.models import RequestLogEntry
from portal.records import record_page
from tests.pages.invoices import invoice


def test_a_record_is_shown_in_words_with_every_digit(viewer: Any, invoices: str, keep_invoices: Any) -> None:
    keep_invoices(
        '[{"id": 7, "invoiceNumber": 1007, "date": "2025-03-04", "created": "2025-03-04T08:05:00", "isOffer": false,'
        ' "invoiceSumInfo": [{"currency": "EUR", "invoiceSumTotal": 1200.50}, {"currency": "SEK", "invoiceSumTotal": 1E+2}],'
        ' "notes": null, "tags": ["a", "b"], "deep": {"er": {"number": 12345678901234567890.10}}, "lines": [],'
        ' "html": "<b>\\u202ebold</b>", "originalInvoiceNumber": "T\\n2"}]'
    )
    answer = viewer.get(f"{invoices}record/", {"id": "7"})
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
    shown = viewer.get(f"{invoices}record/json/", {"id": "7"}).content.decode()
    assert "&quot;invoiceSumTotal&quot;: 1200.50" in shown
    assert "&quot;number&quot;: 12345678901234567890.10" in shown
    assert "[U+202E]" in shown


def test_its_history_says_what_changed_and_which_request_brought_it(
    viewer: Any, invoices: str, keep_invoices: Any, books: Any
) -> None:
    run = SyncRun(tenant=books.tenant, connection=books, trigger=Trigger.HAND)
    run.save(force_insert=True)
    entry = RequestLogEntry(id=uuid4(), at=django_timezone.now(), tenant=books.tenant, connection=books, duration_ms=1)
    entry.run_id, entry.operation, entry.outcome = run.id, "invoices.list", "answered"
    entry.save(force_insert=True)
    keep_invoices([invoice(7, status="SENT", sum=1.0)])
    keep_invoices([invoice(7, status="PAID", sum=1.0, lines=[{"n": 1}])], entry.id)
    keep_invoices([invoice(7, status="PAID", sum=1.5, lines=[{"n": 2}])], uuid4())
    answer = viewer.get(f"{invoices}record/", {"id": "7"})
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
    assert f"/t/aamu/c/{books.id}/runs/{run.id}/" in page
    assert str(entry.id) in page


def test_a_long_history_is_read_page_by_page(viewer: Any, invoices: str, keep_invoices: Any) -> None:
    for number in range(25):
        keep_invoices([{"id": 7, "n": number}])
    answers = [viewer.get(f"{invoices}record/", {"id": "7"})]
    while older := answers[-1].context["detail"].older:
        answers.append(viewer.get(f"{invoices}record/", {"id": "7", "changes": older}))
    seen = [
        (each.before, each.after)
        for answer in answers
        for change in answer.context["detail"].changes
        for each in change.differences or []
    ]
    assert seen == [(str(number - 1), str(number)) for number in range(24, 0, -1)]
    assert [len(answer.context["detail"].changes) for answer in answers] == [10, 10, 5]


def test_what_was_held_longer_ago_than_it_is_kept_is_not_called_the_first(
    viewer: Any, invoices: str, keep_invoices: Any
) -> None:
    for number in range(3):
        keep_invoices([{"id": 7, "n": number}])
    RecordVersion.objects.order_by("change_number").first().delete()  # type: ignore[union-attr]
    changes = viewer.get(f"{invoices}record/", {"id": "7"}).context["detail"].changes
    assert [(change.is_first, change.differences is None) for change in changes] == [(False, False), (False, True)]


def test_a_record_beyond_all_measure_is_shown_as_far_as_a_page_reads(
    viewer: Any, invoices: str, keep_invoices: Any
) -> None:
    keep_invoices(
        [{"id": 7, "note": "x" * (record_page.LONGEST_BODY + 10)}, {"id": 8, "deep": json.loads("[" * 90 + "]" * 90)}]
    )
    page = viewer.get(f"{invoices}record/", {"id": "7"}).content.decode()
    assert "too large, or too deep" in page
    shown = viewer.get(f"{invoices}record/json/", {"id": "7"}).content.decode()
    assert "500,000 characters, as they came" in shown
    assert viewer.get(f"{invoices}record/", {"id": "8"}).status_code == 200


def test_ids_of_every_shape_are_found_again(viewer: Any, invoices: str, keep_invoices: Any) -> None:
    ids = ["a/b", "..", "?x=1&y", "ä ö", "%2F", "#7", "<i>", "'", '"']
    keep_invoices([{"id": each} for each in ids])
    page = viewer.get(invoices).content.decode()
    for each in ids:
        query = f"record/?id={quote(each, safe='')}"
        assert query.replace("%20", "+") in page
        assert viewer.get(f"{invoices}{query}").context["record"].external_id == each
        assert viewer.get(f"{invoices}{query.replace('/?', '/json/?')}").status_code == 200


@pytest.mark.parametrize("query", ["", "?id=", "?id=9", f"?id={'9' * 121}", f"?id={'9' * 4000}"])
def test_an_id_that_is_not_there_is_not_found(viewer: Any, invoices: str, keep_invoices: Any, query: str) -> None:
    keep_invoices([invoice(7)])
    assert viewer.get(f"{invoices}record/{query}").status_code == 404
    assert viewer.get(f"{invoices}record/json/{query}").status_code == 404


def test_a_stream_that_the_provider_does_not_have_is_not_found(viewer: Any, invoices: str) -> None:
    assert viewer.get(invoices.replace("invoices", "secrets")).status_code == 404
