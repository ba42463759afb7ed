"""Certification reports: asked for by admins, computed by a worker from raw rows, and the same bytes the second time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import datetime, time, timedelta, timezone
from typing import Any

import pytest
from django.db import ProgrammingError, transaction
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from connections.spec.certification import LoggedRequest
from connections.tenancy.models import SystemAuditEvent
from connections.tenancy.scope import tenant_scope
from connections.transport.log import writer
from connections.transport.models import RequestLogEntry
from connections.vault.models import Connection
from portal.certification.models import CertificationReport
from portal.certification.reports import first_kept_day, last_settled_day
from portal.onboarding.services import begin
from tests.certification.honest import BEGINS_AT, office
from tests.roles import acting_as

DAYS = 3


@pytest.fixture
def connection(aamu: Any, alice: Any, settings: Any) -> Connection:
    """Three days of honest traffic up to the last settled one, and a server error that nobody explained."""
    with tenant_scope(aamu.id):
        row = begin(tenant=aamu, provider="procountor", environment="test", actor=alice.actor).connection
        Connection.objects.filter(id=row.id).update(company_id="4711", created_at=BEGINS_AT - timedelta(days=90))
        own = office(1)
        requests = [each for each in own.requests if each.at < BEGINS_AT + timedelta(days=DAYS)]
        failed = own.add(BEGINS_AT + timedelta(hours=9), "company", status=502, outcome="troubled")
        write(row, [*requests, failed])
    return row


def write(row: Connection, requests: Sequence[LoggedRequest]) -> None:
    """Into the log, moved to the days that a report may be about."""
    midnight = datetime.combine(last_settled_day() - timedelta(days=DAYS - 1), time(), timezone.utc)
    moved = midnight - BEGINS_AT
    writer.write(
        [
            RequestLogEntry(
                id=each.id, at=each.at + moved, tenant_id=row.tenant_id, connection_id=row.id, provider=row.provider,
                environment=row.environment, api_version=each.api_version, operation=each.operation, method=each.method,
                path_template=each.path, status=each.status, outcome=each.outcome, fault=each.fault,
                attempt=each.attempt, duration_ms=each.duration_ms, token_age_s=each.token_age_seconds,
            )
            for each in requests
        ]
    )  # fmt: skip


def asked(client: Any, **values: Any) -> Any:
    days = {"first_day": last_settled_day() - timedelta(days=DAYS - 1), "last_day": last_settled_day()}
    return client.post(reverse("admin:certification_ask"), {"place": "procountor|test", **days, **values})


def test_a_report_is_computed_from_raw_rows_and_again_with_the_same_bytes(
    connection: Connection, ada: Any, sign_in: Callable[..., Any], work_off: Callable[..., int]
) -> None:
    admin = sign_in(ada)
    page = asked(admin)["Location"]
    assert "A worker computes it" in admin.get(page).content.decode()
    work_off()
    report = CertificationReport.objects.get()
    content = json.loads(report.content)
    assert report.digest == hashlib.sha256(report.content.encode()).hexdigest()
    assert (report.asked_by, content["requests"], content["customers"]) == (ada.email, 24, 1)
    lines = {line["slug"]: line for line in content["lines"]}
    assert "live-customers" not in lines  # of production alone
    [row] = lines["errors-explained"]["rows"]
    assert reverse("admin:transport_requestlogentry_change", args=[row["id"]]) in admin.get(page).content.decode()
    assert lines["peak-rate"]["state"] == "kept"
    answer = admin.get(reverse("admin:certification_json", args=[report.id]))
    assert answer.content == report.content.encode()

    admin.post(reverse("admin:certification_again", args=[report.id]))
    work_off()
    report.refresh_from_db()
    assert report.is_equal
    assert "every byte was the same" in admin.get(page).content.decode()

    RequestLogEntry.objects.filter(id=row["id"]).update(duration_ms=121)
    admin.post(reverse("admin:certification_again", args=[report.id]))
    work_off()
    report.refresh_from_db()
    assert report.is_equal is False
    assert "It is not the same any more" in admin.get(page).content.decode()
    assert json.loads(report.content) == content
    actions = list(
        SystemAuditEvent.objects.filter(action__startswith="certification.").values_list("action", flat=True)
    )
    assert sorted(actions) == ["certification.report_asked", *["certification.report_asked_again"] * 2]


def test_days_that_are_not_over_or_not_kept_are_refused_with_a_sentence(
    ada: Any, sign_in: Callable[..., Any], settings: Any
) -> None:
    settings.REQUEST_LOG_MONTHS = 12
    admin = sign_in(ada)
    today = last_settled_day() + timedelta(days=1)
    for days, sentence in (
        ({"last_day": today}, "days that are over"),
        ({"first_day": first_kept_day() - timedelta(days=1)}, "The request log is kept since"),
        ({"first_day": today - timedelta(days=93)}, "92 days at most"),
        ({"first_day": today, "last_day": today - timedelta(days=2)}, "comes after the last one"),
        ({"place": "nobody|test"}, "nobody|test is not one of the available choices"),
        ({"first_day": "soon"}, "Enter a valid date"),
    ):
        answer = asked(admin, **days)
        assert answer.status_code == 400
        assert sentence in answer.content.decode()
    assert not CertificationReport.objects.exists()


def test_the_web_process_writes_no_word_of_a_report(
    connection: Connection, ada: Any, sign_in: Callable[..., Any]
) -> None:
    asked(sign_in(ada))
    for role in ("web", "staff"):
        with acting_as(role), pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
            CertificationReport.objects.update(content="all is well")


def test_the_board_asks_as_often_whatever_it_shows(ada: Any, sign_in: Callable[..., Any]) -> None:
    admin, counts, day = sign_in(ada), [], last_settled_day()
    admin.get(reverse("admin:certification"))
    for more in (0, 60):
        with acting_as("owner"):
            CertificationReport.objects.bulk_create(
                CertificationReport(
                    provider="procountor",
                    environment="test",
                    first_day=day,
                    last_day=day,
                    asked_by="ada",
                    asked_at=BEGINS_AT,
                )
                for _each in range(more)
            )
        with CaptureQueriesContext(database) as queries:
            page = admin.get(reverse("admin:certification"))
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 15
    shown = page.content.decode().count('scope="row"')
    following = page.context["following"].replace("+", "%2B")
    shown += admin.get(f"{reverse('admin:certification')}?before={following}").content.decode().count('scope="row"')
    assert shown == 60
