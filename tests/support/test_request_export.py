"""What is filtered of the request log is taken away by admins as CSV or JSON Lines, on record, and not calculated."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse

from connections.tenancy.models import SystemAuditEvent
from portal.support import request_export
from tests.support.conftest import House, log_entry


@pytest.fixture
def admins(ada: Any, sign_in: Callable[..., Any]) -> Any:
    return sign_in(ada)


def export(browser: Any, kind: str, query: str = "") -> Any:
    return browser.post(reverse("admin:export_requests"), {"format": kind, "query": query})


def text_of(answer: Any) -> str:
    return b"".join(answer.streaming_content).decode()


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_all_that_the_filters_leave_is_in_the_file_once(
    house: House, admins: Any, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(request_export, "AT_ONCE", 3)
    expected_ids = {str(log_entry(house.tenant, house.connection, status=503, at=house.entry.at).id) for _ in range(7)}
    text = text_of(export(admins, kind, "status=503"))
    rows = (
        list(csv.DictReader(io.StringIO(text))) if kind == "csv" else [json.loads(line) for line in text.splitlines()]
    )
    assert len(rows) == 7
    assert {row["id"] for row in rows} == expected_ids
    assert set(rows[0]) == set(request_export.COLUMNS)
    event = SystemAuditEvent.objects.get(action="staff.log_exported")
    assert event.details["filters"] == "status=503"


def test_a_spreadsheet_calculates_nothing_that_somebody_else_wrote(house: House, admins: Any) -> None:
    log_entry(house.tenant, house.connection, provider_request_id="=HYPERLINK(1)", status=418)
    assert "'=HYPERLINK(1)" in text_of(export(admins, "csv", "status=418"))


def test_support_takes_nothing_away_and_admins_confirm_first(
    house: House, dana: Any, ada: Any, sign_in: Callable[..., Any]
) -> None:
    log = reverse("admin:transport_requestlogentry_changelist")
    support = sign_in(dana)
    assert export(support, "csv").status_code == 403
    assert "Export as CSV" not in support.get(log).content.decode()
    assert "Export as CSV" in sign_in(ada).get(log).content.decode()
    assert "reauthenticate" in export(sign_in(ada, lately=False), "csv")["Location"]
    assert not SystemAuditEvent.objects.filter(action="staff.log_exported").exists()


def test_an_unknown_format_is_nothing(house: House, admins: Any) -> None:
    assert export(admins, "xls").status_code == 404
