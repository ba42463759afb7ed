"""Checklists of the release that called done what nobody had confirmed, after the upgrade: what became of each mark, and why."""

from __future__ import annotations

from typing import Any

from django.db import connection as database
from django.db.migrations.executor import MigrationExecutor
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
from tests.operations.test_upgrade import old_database
from tests.roles import acting_as

__all__ = ["old_database"]  # fixtures
BEFORE = "0004_completion_is_the_workers"
COMPANY = {"company": "Aamu Oy", "company_id": "10451"}
USER = {"user": "Aamu Oy Pilotage API", "user_id": "3005"}
BOOKS = {"company": "Aamu Oy", "company_id": "g-1", "names": "Kallio, Ranta"}
WHO = {"who": "aino@aamu.example"}
NO_WORD: tuple[str, str, dict[str, str]] = ("verified", "no-word-now", {})
Told = tuple[str, str, dict[str, str]]

# Marks with their evidence, oldest first: what a customer had who was through, and what one had who was on the way.
WALKED: dict[str, list[Told]] = {
    "usage-settings": [("attested", "said-so", WHO), ("inferred", "key-works-so-usage-allowed", {})],
    "technical-user": [("attested", "said-so", WHO), ("inferred", "user-seen", USER)],
    "rights": [("verified", "rights-enough", {"rights": "registers"})],
    "m2m-only": [("attested", "said-so", WHO)],
    "api-key": [("verified", "key-accepted", {})],
    "company": [("verified", "company-found", COMPANY), ("verified", "company-found", COMPANY)],
    "first-sync": [("verified", "first-sync-done", {})],
}
OLD: dict[str, tuple[dict[str, Any], dict[str, list[Told]], dict[str, str]]] = {
    # name: the connection, its marks, and what is different after the upgrade
    "live": (
        {"provider": "procountor", "auth_method": "m2m", "state": "connected", "company_id": "10451"},
        WALKED,
        {"technical-user": "unconfirmed"},
    ),
    "on the way": (
        {"provider": "procountor", "auth_method": "m2m", "state": "setup"},
        {**WALKED, "first-sync": [], "company": [("verified", "company-found", COMPANY), NO_WORD]},
        {"technical-user": "unconfirmed", "company": "unconfirmed"},
    ),
    "live without a word of scopes": (
        {"provider": "smartbusiness", "auth_method": "consent", "state": "connected", "company_id": "418000101"},
        {
            "account": [("attested", "said-so", WHO)],
            "access": [("verified", "signed-in", {})],
            "scopes": [("verified", "scope-unsaid", {}), NO_WORD],
            "company": [("verified", "company-found", {**COMPANY, "company_id": "418000101"})],
            "first-sync": [("verified", "first-sync-done", {})],
        },
        {"scopes": "open"},
    ),
    "live with scopes that are told": (
        {"provider": "smartbusiness", "auth_method": "own-client", "state": "connected", "company_id": "418000102"},
        {
            "client": [("attested", "said-so", WHO)],
            "access": [("verified", "signed-in", {})],
            "scopes": [("verified", "scope-unsaid", {}), ("verified", "scope-enough", {"scope": "profile"})],
            "company": [("verified", "company-found", {**COMPANY, "company_id": "418000102"})],
            "first-sync": [("verified", "first-sync-done", {})],
        },
        {},
    ),
    "held": (
        {"provider": "simutek", "auth_method": "client-credentials", "state": "broken", "fault": "company-unproven"},
        {"access": [("verified", "signed-in", {})], "company": [("open", "books-again", BOOKS)], "first-sync": []},
        {"company": "unconfirmed"},
    ),
    "moved since": (
        {"provider": "simutek", "auth_method": "client-credentials", "state": "broken", "fault": "company-unproven"},
        {"access": [("open", "server-changed", {})], "company": [("open", "books-again", BOOKS), ("open", "server-changed", {})]},
        {},
    ),
    "certificates": (
        {"provider": "pentamic", "auth_method": "client-credentials", "state": "setup"},
        {"certificate": [("open", "certificate-shown", {"hosts": "books.aamu.example"})]},
        {"certificate": "unconfirmed"},
    ),
}  # fmt: skip


def states(onboarding: Onboarding) -> dict[str, str]:
    return dict(Mark.objects.filter(onboarding=onboarding).values_list("checkpoint", "state"))


def lay_out(name: str, tenant: Tenant) -> Onboarding:
    """One connection with its checklist as the release before left it."""
    values, marks, _changed = OLD[name]
    stands = values["state"] != "setup"
    connection = Connection(
        tenant=tenant, environment="production", company_name="Aamu Oy" if stands else "", **values
    )
    connection.save(force_insert=True)
    onboarding = Onboarding(
        tenant=tenant, connection=connection, completed_at=timezone.now() if values["state"] == "connected" else None
    )
    onboarding.save(force_insert=True)
    for checkpoint in provider_of(connection).checkpoints(connection.auth_method):
        told = marks.get(checkpoint.slug, [])
        state = told[-1][0] if told else "open"
        checked_at = timezone.now() if told else None
        mark = Mark(
            tenant=tenant, onboarding=onboarding, checkpoint=checkpoint.slug, state=state, checked_at=checked_at
        )
        mark.save(force_insert=True)
        for of, code, shown in told:
            Evidence(tenant=tenant, mark=mark, state=of, code=code, values=shown).save(force_insert=True)
    return onboarding


def test_what_becomes_of_the_marks_of_before(old_database: MigrationExecutor) -> None:
    executor = old_database
    leaves = [node for node in executor.loader.graph.leaf_nodes() if node[0] != "onboarding"]
    executor.migrate([*leaves, ("onboarding", BEFORE)])
    tenant = Tenant(name="Aamu Oy", slug="aamu", state="active")
    tenant.save(force_insert=True)
    onboardings = {name: lay_out(name, tenant) for name in OLD}
    before = {name: states(onboarding) for name, onboarding in onboardings.items()}
    standing = {row.id: (row.state, row.fault, row.company_id) for row in Connection.objects.all()}
    executor = MigrationExecutor(database)
    executor.migrate(executor.loader.graph.leaf_nodes())

    assert {row.id: (row.state, row.fault, row.company_id) for row in Connection.objects.all()} == standing
    for name, onboarding in onboardings.items():
        assert states(onboarding) == before[name] | OLD[name][2], name
        what_waits_can_be_confirmed(onboarding, OLD[name][2])
    for name in ("live", "live without a word of scopes"):
        a_standing_connection_goes_on(onboardings[name].connection)
    asked = Mark.objects.filter(id__in=Job.objects.filter(kind=CHECK).values("subject"))
    assert list(asked.values_list("checkpoint", flat=True)) == ["scopes"]


def what_waits_can_be_confirmed(onboarding: Onboarding, changed: dict[str, str]) -> None:
    """The page shows what was found, with the press that says that it is meant."""
    with tenant_scope(onboarding.tenant_id):
        shown = progress(onboarding, provider_of(onboarding.connection))
    for step in shown.steps:
        if changed.get(step.checkpoint.slug) == "unconfirmed":
            assert step.checkpoint.confirm
            assert step.evidence is not None
            assert step.evidence.values
            assert step.sentence
            assert step.can_confirm or step.checkpoint.pins


def a_standing_connection_goes_on(connection: Connection) -> None:
    """It reads as before, its summary asks for nothing, and the end of its next green run is drawn its conclusions from."""
    with acting_as("worker"), tenant_scope(connection.tenant_id):
        run = start_run(connection=connection, trigger=Trigger.SCHEDULE, actor=SYSTEM)
        SyncRun.objects.filter(id=run.id).update(started_at=timezone.now())
        end(run, RunState.SUCCEEDED)
        summary = summary_of(connection)
    assert (summary.status, summary.failing) == (ConnectionStatus.CURRENT, None)
    with acting_as("worker"):
        work(str(Job.objects.values_list("id", flat=True).get(kind=RUN_ENDED, subject=run.id)))
    assert Job.objects.values_list("state", flat=True).get(kind=RUN_ENDED, subject=run.id) == "succeeded"
    assert Connection.objects.values_list("state", flat=True).get(id=connection.id) == "connected"
