"""Marks that older releases made and the last one's migrations turned: they wait, can be confirmed, and hold nothing up."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from connections.jobs.models import Job
from connections.jobs.tasks import work
from connections.sync.models import RunState, SyncRun, Trigger
from connections.sync.services import RUN_ENDED, start_run
from connections.sync.states import end
from connections.tenancy.models import Tenant
from connections.tenancy.scope import SYSTEM, tenant_scope
from connections.vault.models import Connection
from portal.dashboard.summaries import ConnectionStatus, summary_of
from portal.onboarding.marks import CHECK, provider_of
from portal.onboarding.models import Evidence, Mark, Onboarding
from portal.onboarding.progress import progress
from tests.roles import acting_as

pytestmark = pytest.mark.django_db
COMPANY = {"company": "Aamu Oy", "company_id": "10451"}
USER = {"user": "Aamu Oy Pilotage API", "user_id": "3005"}
BOOKS = {"company": "Aamu Oy", "company_id": "g-1", "names": "Kallio, Ranta"}
WHO = {"who": "aino@aamu.example"}
HOSTS = {"hosts": "books.aamu.example"}
# State, code and values of one piece of evidence.
Row = tuple[str, str, dict[str, str]]

# Marks with their evidence, oldest first: what a customer had who was through, and what one had who was on the way. The
# migrations added what is unconfirmed, with the values of the finding before it.
WALKED: dict[str, list[Row]] = {
    "usage-settings": [("attested", "said-so", WHO), ("inferred", "key-works-so-usage-allowed", {})],
    "technical-user": [
        ("attested", "said-so", WHO),
        ("inferred", "user-seen", USER),
        ("unconfirmed", "user-seen", USER),
    ],
    "rights": [("verified", "rights-enough", {"rights": "registers"})],
    "m2m-only": [("attested", "said-so", WHO)],
    "api-key": [("verified", "key-accepted", {})],
    "company": [("verified", "company-found", COMPANY), ("verified", "company-found", COMPANY)],
    "first-sync": [("verified", "first-sync-done", {})],
}
LEFT: dict[str, tuple[dict[str, Any], dict[str, list[Row]]]] = {
    "live": ({"provider": "procountor", "auth_method": "m2m", "state": "connected", "company_id": "10451"}, WALKED),
    "on the way": (
        {"provider": "procountor", "auth_method": "m2m", "state": "setup"},
        {
            **WALKED,
            "first-sync": [],
            "company": [
                ("verified", "company-found", COMPANY),
                ("verified", "no-word-now", {}),
                ("unconfirmed", "company-found", COMPANY),
            ],
        },
    ),
    "live without a word of scopes": (
        {"provider": "smartbusiness", "auth_method": "consent", "state": "connected", "company_id": "418000101"},
        {
            "account": [("attested", "said-so", WHO)],
            "access": [("verified", "signed-in", {})],
            "scopes": [("verified", "scope-unsaid", {}), ("verified", "no-word-now", {})],
            "company": [("verified", "company-found", {**COMPANY, "company_id": "418000101"})],
            "first-sync": [("verified", "first-sync-done", {})],
        },
    ),
    "held": (
        {"provider": "simutek", "auth_method": "client-credentials", "state": "broken", "fault": "company-unproven"},
        {
            "access": [("verified", "signed-in", {})],
            "company": [("open", "books-again", BOOKS), ("unconfirmed", "books-again", BOOKS)],
        },
    ),
    "certificates": (
        {"provider": "pentamic", "auth_method": "client-credentials", "state": "setup"},
        {"certificate": [("open", "certificate-shown", HOSTS), ("unconfirmed", "certificate-shown", HOSTS)]},
    ),
}
# Opened again, and never checked since: nobody had said which scopes were granted.
REOPENED = "scopes"
WAITING = {
    "live": ["technical-user"],
    "on the way": ["technical-user", "company"],
    "live without a word of scopes": [],
    "held": ["company"],
    "certificates": ["certificate"],
}


def lay_out(name: str, tenant: Tenant) -> Onboarding:
    """One connection with its checklist as the last release's migrations left it."""
    values, marks = LEFT[name]
    stands = values["state"] != "setup"
    connection = Connection(
        tenant=tenant, environment="production", company_name="Aamu Oy" if stands else "", **values
    )
    connection.save(force_insert=True)
    completed_at = timezone.now() if values["state"] == "connected" else None
    onboarding = Onboarding(tenant=tenant, connection=connection, completed_at=completed_at)
    onboarding.save(force_insert=True)
    for checkpoint in provider_of(connection).checkpoints(connection.auth_method):
        rows = marks.get(checkpoint.slug, [])
        is_checked = bool(rows) and checkpoint.slug != REOPENED
        mark = Mark(
            tenant=tenant,
            onboarding=onboarding,
            checkpoint=checkpoint.slug,
            state=rows[-1][0] if is_checked else "open",
            checked_at=timezone.now() if is_checked else None,
        )
        mark.save(force_insert=True)
        for state, code, values in rows:
            Evidence(tenant=tenant, mark=mark, state=state, code=code, values=values).save(force_insert=True)
    return onboarding


@pytest.mark.parametrize("name", LEFT)
def test_what_is_unconfirmed_is_shown_and_can_be_confirmed(name: str, aamu: Tenant) -> None:
    onboarding = lay_out(name, aamu)
    with tenant_scope(aamu.id):
        checklist = progress(onboarding, provider_of(onboarding.connection))
    waiting = [step for step in checklist.steps if step.mark.state == "unconfirmed"]
    assert [step.checkpoint.slug for step in waiting] == WAITING[name]
    for step in waiting:
        assert step.checkpoint.confirm
        assert step.evidence is not None
        assert step.evidence.values
        assert step.sentence
        assert step.can_confirm or step.checkpoint.pins


@pytest.mark.parametrize(("name", "checkpoints"), [("live", []), ("live without a word of scopes", [REOPENED])])
def test_a_standing_connection_goes_on(name: str, checkpoints: list[str], aamu: Tenant) -> None:
    """It reads as before, its card asks for nothing, and the end of its next green run has the reopened mark checked."""
    connection = lay_out(name, aamu).connection
    with acting_as("worker"), tenant_scope(aamu.id):
        run = start_run(connection=connection, trigger=Trigger.SCHEDULE, actor=SYSTEM)
        SyncRun.objects.filter(id=run.id).update(started_at=timezone.now())
        end(run, RunState.SUCCEEDED)
        summary = summary_of(connection)
    assert (summary.status, summary.failing) == (ConnectionStatus.CURRENT, None)
    with acting_as("worker"):
        work(str(Job.objects.values_list("id", flat=True).get(kind=RUN_ENDED, subject=run.id)))
    assert Job.objects.values_list("state", flat=True).get(kind=RUN_ENDED, subject=run.id) == "succeeded"
    assert Connection.objects.values_list("state", flat=True).get(id=connection.id) == "connected"
    checks = Mark.objects.filter(id__in=Job.objects.filter(kind=CHECK).values("subject"))
    assert list(checks.values_list("checkpoint", flat=True)) == checkpoints
