"""What Prometheus reads: every name that the alerts and the board use is there, and no name of a tenant's."""

from __future__ import annotations

import json
import re
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.utils import timezone
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from connections.jobs import heartbeats, vital_signs
from connections.jobs.heartbeats import HeartbeatKind
from connections.jobs.models import Job, JobState
from connections.jobs.registry import QUEUES, kinds
from connections.providers.registry import all_providers
from connections.sync.models import SyncRun, Trigger
from connections.sync.time_shares import STUCK_AFTER
from connections.tenancy.single_query import DatabaseSilent
from connections.transport.models import Breaker, QuotaWindow
from portal.env import BadEnvironment, listen
from portal.notices.models import MailState, OutgoingMail
from portal.operations import checks, metrics
from tests.roles import acting_as
from tests.support import conftest as staff_pages
from tests.support.conftest import House, log_entry

house = staff_pages.house  # a fixture of theirs

REPOSITORY = Path(__file__).resolve().parents[2]
ALERTS = REPOSITORY / "deploy" / "prometheus" / "alerts.yaml"
BOARD = REPOSITORY / "deploy" / "grafana" / "pilotage.json"
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def scraped(monkeypatch: pytest.MonkeyPatch) -> Samples:
    """By name and labels, as Prometheus's own parser reads what a web process answers."""
    monkeypatch.setattr(metrics, "CACHED_SECONDS", 0.0)
    with acting_as("web"):
        text = generate_latest(metrics.registry).decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[name, frozenset(labels.items())]


@pytest.fixture
def filled(committed_db: None, house: House) -> None:
    """Besides what the house has, which is a failed run and a request that was refused."""
    now, tenant, connection = timezone.now(), house.tenant, house.connection
    Job.objects.all().delete()
    Job.objects.create(kind="sync.run", subject=uuid.uuid4(), queue="sync", due_at=now - timedelta(minutes=5))
    Job.objects.create(kind="typed-by-a-thief", subject=uuid.uuid4(), queue="sync", due_at=now - timedelta(minutes=5))
    Job.objects.create(kind="a", subject=uuid.uuid4(), queue="mail", state=JobState.PARKED, ended_at=now)
    heartbeats.note(HeartbeatKind.WORKER, "sync@host", "sync")
    heartbeats.note(HeartbeatKind.SWEEP, heartbeats.SWEEP)
    heartbeats.note(HeartbeatKind.TAKEOVER, heartbeats.TAKEOVERS)
    log_entry(tenant, connection, operation="token")
    log_entry(tenant, connection, at=now - timedelta(minutes=30))
    Breaker.objects.create(key="a server", began_at=now, opened_at=now)
    OutgoingMail.objects.create(state=MailState.FAILED, key_version=1, ciphertext=b"")
    SyncRun.objects.create(
        tenant=tenant, connection=connection, trigger=Trigger.HAND, queued_at=now - STUCK_AFTER - timedelta(minutes=50)
    )


def test_an_operators_questions_are_answered(filled: None, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = scraped(monkeypatch)
    assert value(samples, "pilotage_database_up") == 1
    assert value(samples, "pilotage_held") == 0
    assert value(samples, "pilotage_workers", queue="sync") == 1
    assert value(samples, "pilotage_workers", queue="mail") == 0
    assert value(samples, "pilotage_oldest_due_job_seconds", queue="sync") >= 300
    assert value(samples, "pilotage_due_jobs", queue="sync") == 2
    assert value(samples, "pilotage_job_age_seconds", kind="sync.run") >= 300
    assert value(samples, "pilotage_due_jobs_of_kind", kind="other") == 1
    assert value(samples, "pilotage_parked_jobs") == 1
    assert value(samples, "pilotage_heartbeat_age_seconds", kind="sweep") < 60
    assert value(samples, "pilotage_heartbeat_age_seconds", kind="maintenance") == float("inf")
    assert value(samples, "pilotage_sweeps_total") == 1
    assert value(samples, "pilotage_lease_losses_total") == 1
    assert value(samples, "pilotage_calls_last_5_minutes", provider="procountor", outcome="refused") == 1
    assert value(samples, "pilotage_calls_last_5_minutes", provider="procountor", outcome="answered") == 1
    assert value(samples, "pilotage_token_requests_last_5_minutes", provider="procountor", outcome="answered") == 1
    assert value(samples, "pilotage_runs_last_hour", state="failed") == 1
    assert value(samples, "pilotage_stuck_runs") == 1
    assert value(samples, "pilotage_open_breakers", of="server") == 1
    assert value(samples, "pilotage_mails", state="failed") == 1
    assert value(samples, "pilotage_oldest_mail_seconds") > 0


def test_labels_are_words_of_ours_and_few(filled: None, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics.observe_page("", 404, 0.1)
    samples = scraped(monkeypatch)
    named = {"queue": set(QUEUES), "provider": {*all_providers(), "other"}, "kind": {each.name for each in kinds()}}
    named["kind"] |= {"other", *HeartbeatKind.values}
    for name, labels in samples:
        for label, text in labels:
            assert label in ("queue", "kind", "provider", "outcome", "state", "of", "page", "status", "le") or (
                name.startswith(("python_", "process_"))
            ), (name, label)
            assert text in named.get(label, {text}), (name, label, text)
            assert "aamu" not in text.lower()
            assert "thief" not in text
    without_pages = [name for name, _labels in samples if not name.startswith("pilotage_page_seconds")]
    assert len(without_pages) < 300


def test_every_name_in_the_alerts_and_on_the_board_is_there(filled: None, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics.observe_page("front", 200, 0.1)
    names = {name for name, _labels in scraped(monkeypatch)}
    rules = [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]
    panels = json.loads(BOARD.read_text())["panels"]
    expressions = [rule["expr"] for rule in rules] + [each["expr"] for panel in panels for each in panel["targets"]]
    used = {name for text in expressions for name in re.findall(r"\b(?:pilotage|process)_\w+", text)}
    assert len(used) > 15
    assert used - names == set()
    on_board = {
        name for panel in panels for each in panel["targets"] for name in re.findall(r"pilotage_\w+", each["expr"])
    }
    ours = {name for name in names if name.startswith("pilotage_") and not name.endswith(("_created", "_sum"))}
    assert ours - on_board - {"pilotage_held"} == set(), "measured, and on no board"
    for rule in rules:
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}, rule["alert"]
        assert {"summary", "action"} == set(rule["annotations"]), rule["alert"]


def test_a_frozen_database_is_said_and_keeps_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent() -> Any:
        message = "no answer in time"
        raise DatabaseSilent(message)

    monkeypatch.setattr(vital_signs, "read", silent)
    assert [(each.name, each.samples[0].value) for each in metrics._read()] == [("pilotage_database_up", 0)]
    busy = metrics.Installation()
    busy._lock.acquire()
    assert [each.samples[0].value for each in busy.collect()] == [0], "another one asks already, and waits"


def test_the_share_of_a_quota_is_that_of_whoever_used_most(filled: None, monkeypatch: pytest.MonkeyPatch) -> None:
    daily = next(
        (provider, quota)
        for provider in all_providers().values()
        for quota in provider.quotas
        if quota.per >= timedelta(hours=1)
    )
    provider, quota = daily
    now_slice = int(timezone.now().timestamp() // (quota.per.total_seconds() / 96))
    for client, calls in (("a", quota.calls // 2), ("b", 1)):
        QuotaWindow.objects.create(
            key=f"{provider.slug}:test:client:{client}", counts={str(now_slice): calls, "1": 999999}
        )
    share = value(scraped(monkeypatch), "pilotage_quota_share", provider=provider.slug)
    assert share == pytest.approx((quota.calls // 2) / quota.calls)


def test_where_it_listens_is_an_address_and_no_public_one(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for text, parsed in (("127.0.0.1:9464", ("127.0.0.1", 9464)), ("[::1]:9464", ("::1", 9464)), ("", None)):
        monkeypatch.setenv("PORTAL_METRICS_LISTEN", text)
        assert listen("PORTAL_METRICS_LISTEN") == parsed
    for text in ("9464", "metrics.example:9464", "127.0.0.1:0", "127.0.0.1:99999"):
        monkeypatch.setenv("PORTAL_METRICS_LISTEN", text)
        with pytest.raises(BadEnvironment, match="PORTAL_METRICS_LISTEN"):
            listen("PORTAL_METRICS_LISTEN")
    settings.DEMO = False
    for address, is_warned in (
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("0.0.0.0", True),
        ("::", True),
        ("8.8.8.8", True),
    ):
        settings.METRICS_LISTEN = (address, 9464)
        assert ("portal.W032" in [each.id for each in checks.production()]) is is_warned, address
