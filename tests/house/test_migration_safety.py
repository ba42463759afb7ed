"""While a new release comes up, the old one may still write: a migration that it could not write beside is refused here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.apps import apps
from django.db import migrations, models
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django.db.models.fields import NOT_PROVIDED

from connections.tenancy.row_security import TableStatements

# Up to here nobody looked; what these have added is held by the first test all the same.
SETTLED = {
    "calls": 1,
    "exports": 1,
    "incidents": 1,
    "jobs": 3,
    "members": 3,
    "notices": 1,
    "onboarding": 1,
    "rate_limits": 1,
    "sync": 6,
    "tenancy": 2,
    "transport": 2,
    "vault": 4,
}
# What is right although it looks wrong, and why.
_SMALL = "a table of some thousand rows at most: the lock is over at once"
_STANDS_STILL = "locks writes while it is built, and an update stops the portal first (README)"
ALLOWED = {
    (
        "incidents",
        "0003_causes",
        "Create index incidents_of_cause on field(s) cause, -opened_at of model incident",
    ): _SMALL,
    ("incidents", "0003_causes", "Create index incidents_over on field(s) closed_at of model incident"): _SMALL,
    (
        "sync",
        "0009_runs_by_fault",
        "Create index sync_run_of_fault on field(s) fault, -queued_at of model syncrun",
    ): "only runs that a fault ended are in it; a run that is to be queued meanwhile waits for seconds",
    ("jobs", "0004_heartbeats", "Create index jobs_parked on field(s) queue of model job"): "few rows are in it",
    ("jobs", "0006_dispatch_switch", "Raw SQL operation"): "one row of a table that is new",
    (
        "jobs",
        "0007_parked",
        "Create index jobs_newest_parked on field(s) -created_at of model job",
    ): "few rows are in it",
    ("members", "0004_searched_names", "Raw SQL operation"): _SMALL,
    (
        "notices",
        "0002_recipients_hint",
        "Create index notices_mail_unsent on field(s) -created_at of model outgoingmail",
    ): "mails are kept for a month at most",
    ("tenancy", "0003_searched_names", "Raw SQL operation"): "functions that are new; an index of a small table",
    (
        "onboarding",
        "0004_newest_handoffs",
        "Create index onboarding_handoffs_by_time on field(s) -given_at, -id of model handoff",
    ): _SMALL,
    (
        "transport",
        "0008_newest_departures",
        "Create index transport_departure_newest on field(s) -asked_at, -id of model departure",
    ): _SMALL,
    ("transport", "0004_trace_id", "Raw SQL operation"): "adds a column with a default, which rewrites no row",
    (
        "transport",
        "0006_counted_entries",
        "Raw SQL operation",
    ): "a trigger that counts whoever writes, an older release too",
    ("transport", "0007_log_filters", "Raw SQL operation"): _STANDS_STILL,
    ("vault", "0006_searched_names", "Raw SQL operation"): _STANDS_STILL,
}
# Not null, added later, and without a default: an old release could not have known how to write the rest either.
WITHOUT_DEFAULT = {"sync.record.change_number": "its release changed the table's key as well"}


def ours() -> Iterator[tuple[str, migrations.Migration]]:
    for (app, _name), migration in sorted(MigrationLoader(None).disk_migrations.items()):
        if migration.__module__.startswith(("connections.", "portal.")):
            yield app, migration


def flat(operations: list[Operation]) -> Iterator[Operation]:
    for operation in operations:
        yield operation
        if isinstance(operation, migrations.SeparateDatabaseAndState | migrations.RunSQL):
            yield from flat(list(operation.state_operations))


def test_what_was_added_to_a_table_has_a_default_in_the_database() -> None:
    missing = set()
    for app, migration in ours():
        if migration.name.startswith("0001"):
            continue
        made_here = {each.name_lower for each in migration.operations if isinstance(each, migrations.CreateModel)}
        for operation in flat(migration.operations):
            if not isinstance(operation, migrations.AddField) or operation.model_name_lower in made_here:
                continue
            model = apps.get_model(app, operation.model_name)
            field = next((each for each in model._meta.concrete_fields if each.name == operation.name), None)
            if field is not None and model._meta.managed and not has_default(field):
                missing.add(f"{app}.{operation.model_name_lower}.{operation.name}")
    assert missing == set(WITHOUT_DEFAULT), "an older release writes rows without it: give it a db_default"


def has_default(field: models.Field) -> bool:  # type: ignore[type-arg]
    return field.null or field.db_default is not NOT_PROVIDED


def unsafe(app: str, operations: list[Operation], state: ProjectState) -> list[str]:
    """What an older release would stumble over, or what locks a table that is written to; changes `state` as they do."""
    made_here: set[str] = set()
    wrong = []
    for operation in operations:
        if is_unsafe(app, operation, state, made_here):
            wrong.append(operation.describe())
        if isinstance(operation, migrations.CreateModel):
            made_here.add(operation.name_lower)
        operation.state_forwards(app, state)
    return wrong


def is_unsafe(app: str, operation: Operation, state: ProjectState, made_here: set[str]) -> bool:
    model = str(getattr(operation, "model_name", "")).lower()
    if model in made_here or isinstance(operation, migrations.CreateModel | migrations.AlterModelOptions):
        return False
    match operation:
        case migrations.AddField():
            return not has_default(operation.field)
        case migrations.AlterField():
            return narrows(state.models[app, model].fields[operation.name_lower], operation.field)
        case migrations.AddConstraint() | migrations.RemoveConstraint():
            # Rights and row security are compared with the models at every start; other constraints bind the older release.
            constraints = state.models[app, model].options["constraints"]
            by_name = {each.name: each for each in constraints}
            return (
                isinstance(operation, migrations.AddConstraint)
                and not isinstance(operation.constraint, TableStatements)
                and operation.constraint.name not in by_name
            )
        case migrations.RemoveIndex():
            return False
    return True


def narrows(before: models.Field, after: models.Field) -> bool:  # type: ignore[type-arg]
    """Whether a value that the older release may write does not go in any more, or the column is made anew."""
    shorter = (before.max_length or 0) > (after.max_length or 0) if after.max_length else False
    is_filled = before.null and not after.null
    return type(before) is not type(after) or shorter or is_filled


def test_no_migration_keeps_the_release_before_it_from_working() -> None:
    loader = MigrationLoader(None)
    found = set()
    for app, migration in ours():
        if int(migration.name[:4]) > SETTLED.get(app, 0):
            before = loader.project_state([(app, migration.name)], at_end=False)
            found |= {(app, migration.name, what) for what in unsafe(app, migration.operations, before)}
    assert found - ALLOWED.keys() == set(), (
        "do it in two releases (first stop using it, then take it away), or say in ALLOWED why it is right"
    )
    assert ALLOWED.keys() - found == set(), "allowed, and there is no such thing"


@pytest.mark.parametrize(
    "operation",
    [
        migrations.AddField("job", "colour", models.CharField(max_length=9, default="")),
        migrations.RemoveField("job", "burst"),
        migrations.RenameField("job", "burst", "bursts"),
        migrations.DeleteModel("Job"),
        migrations.RenameModel("Job", "Task"),
        migrations.AlterField("job", "kind", models.CharField(max_length=20)),
        migrations.AlterField("job", "lease_until", models.DateTimeField()),
        migrations.AlterField("job", "burst", models.CharField(max_length=9)),
        migrations.AddConstraint("job", models.CheckConstraint(name="jobs_new", condition=models.Q(burst__lt=9))),
        migrations.AddIndex("job", models.Index(fields=["kind"], name="jobs_kind")),
        migrations.RunSQL("UPDATE jobs_job SET burst = 0"),
        migrations.RunPython(migrations.RunPython.noop),
    ],
    ids=lambda operation: operation.describe(),
)
def test_each_of_these_is_seen(operation: Operation) -> None:
    state = ProjectState.from_apps(apps)
    assert is_unsafe("jobs", operation, state, set())
    assert not is_unsafe("jobs", operation, state, {"job"}) or not hasattr(operation, "model_name")


@pytest.mark.parametrize(
    "operation",
    [
        migrations.AddField("job", "colour", models.CharField(max_length=9, db_default="")),
        migrations.AddField("job", "colour", models.CharField(max_length=9, null=True)),
        migrations.AlterField("job", "kind", models.CharField(max_length=90)),
        migrations.RemoveIndex("job", "jobs_parked"),
    ],
    ids=lambda operation: operation.describe(),
)
def test_each_of_these_is_fine(operation: Operation) -> None:
    assert not is_unsafe("jobs", operation, ProjectState.from_apps(apps), set())
