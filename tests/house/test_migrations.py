"""Migrations are never edited and run nothing of ours, and what they make is written down: schema.txt."""

from __future__ import annotations

import ast
import hashlib
from pathlib import Path

import pytest
from django.apps import apps
from django.db import connection, models
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ModelState, ProjectState

from connections.tenancy.row_security import NoRowSecurity, RowSecurity, SameTenant, TableStatements
from tests.house.schema import FILE, schema_lines

REPOSITORY = Path(__file__).resolve().parents[2]
# As `sha256sum` writes and reads it.
HASHES = Path(__file__).with_name("migrations.sha256")


def migration_files() -> dict[str, Path]:
    found = [path for room in ("connections", "portal") for path in (REPOSITORY / room).glob("*/migrations/0*")]
    return {str(path.relative_to(REPOSITORY)): path for path in found}


def ours() -> list[type[models.Model]]:
    return [model for model in apps.get_models() if model.__module__.startswith(("connections.", "portal."))]


# -- their text --------------------------------------------------------------------------------------------------------


def test_no_migration_is_edited() -> None:
    listed = {name: digest for digest, name in (line.split() for line in HASHES.read_text().splitlines())}
    files = migration_files()
    assert listed.keys() - files.keys() == set(), "migrations that may have run somewhere are gone"
    assert files.keys() - listed.keys() == set(), f"new: append what `sha256sum FILE` says to {HASHES.name}"
    edited = [name for name, path in files.items() if hashlib.sha256(path.read_bytes()).hexdigest() != listed[name]]
    assert edited == [], "it may have run somewhere as it was: take the change back and add a migration"


def test_a_migration_runs_nothing_of_ours_that_may_change() -> None:
    imported = set()
    for path in migration_files().values():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported |= {f"{node.module}.{alias.name}" for alias in node.names}
    own = {
        name for name in imported if name.split(".")[0] not in ("django", "uuid", "datetime", "__future__", "typing")
    }
    assert own == {"connections.tenancy.row_security.TableStatements"}


# -- what they make ----------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_new_database_has_the_written_schema() -> None:
    lines, written = set(schema_lines(connection)), set(FILE.read_text(encoding="utf-8").splitlines())
    assert lines - written == set(), "not written: after a new migration `python -m tests.house.schema`"
    assert written - lines == set(), "written, but not in the database"


@pytest.mark.django_db
def test_a_line_is_missed_and_a_right_too_many_is_seen() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP POLICY tenant ON sync_record; GRANT SELECT (external_id) ON sync_record TO portal_staff")
    before, after = set(FILE.read_text(encoding="utf-8").splitlines()), set(schema_lines(connection))
    assert after - before == {"sync_record: portal_staff may SELECT external_id"}
    [missing] = before - after
    assert missing.startswith("sync_record: policy tenant ")


@pytest.mark.django_db
def test_what_a_constraint_makes_it_takes_back_and_makes_again() -> None:
    before = schema_lines(connection)
    constraints = [(model, each) for model in ours() for each in model._meta.constraints]
    keys = [pair for pair in constraints if isinstance(pair[1], SameTenant)]
    rest = [pair for pair in constraints if isinstance(pair[1], RowSecurity | NoRowSecurity)]
    with connection.schema_editor() as editor:
        for model, constraint in [*keys, *rest]:
            editor.remove_constraint(model, constraint)
        tables = {model._meta.db_table for model, _ in rest}
        bare = [line for line in schema_lines(connection) if line.split(":")[0] in tables]
        assert [line for line in bare if " may " in line or " policy " in line or " row security" in line] == []
        assert [line for line in bare if "FOREIGN KEY (tenant_id, " in line] == []
        for model, constraint in [*rest, *keys]:
            editor.add_constraint(model, constraint)
    assert schema_lines(connection) == before


# -- what `makemigrations` notices -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "changed"),
    [
        ("sync.record", RowSecurity(name="sync_record_fence", web="SELECT", worker="SELECT", is_target=False)),
        ("jobs.job", NoRowSecurity(name="jobs_job_rights", reason="", web="SELECT", worker="SELECT")),
        ("sync.record", SameTenant(name="sync_record_connection_tenant", field="tenant")),
    ],
)
def test_a_change_of_rights_is_written_as_statements(model: str, changed: TableStatements) -> None:
    before = MigrationLoader(None).project_state()
    after = ProjectState.from_apps(apps)
    assert changes(before, after) == [], "models that no migration holds: `manage.py makemigrations`"
    state = ModelState.from_model(apps.get_model(model))
    constraints = state.options["constraints"]
    state.options["constraints"] = [changed if each.name == changed.name else each for each in constraints]
    after.models[tuple(model.split("."))] = state
    removed, added = changes(before, after)
    assert removed == f"Remove constraint {changed.name} from model {model.split('.')[1]}"
    assert added == f"Create constraint {changed.name} on model {model.split('.')[1]}"
    assert changed.deconstruct()[0] == "connections.tenancy.row_security.TableStatements"


def changes(before: ProjectState, after: ProjectState) -> list[str]:
    found = MigrationAutodetector(before, after)._detect_changes()
    return [
        operation.describe() for migrations in found.values() for each in migrations for operation in each.operations
    ]
