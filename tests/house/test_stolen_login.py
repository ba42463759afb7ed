"""What docs/security.md says of a stolen web login, tried by SQL as that login and as the staff role it may become."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, ProgrammingError, connection, transaction

from connections.jobs.models import Job
from connections.jobs.services import LONGEST_BURST, enqueue
from connections.sync.services import RUN
from connections.tenancy.scope import tenant_scope
from connections.vault.fields import SEALED_FIELDS
from tests.house.rights import read_rights
from tests.house.security_sealed import protected
from tests.roles import acting_as

pytestmark = pytest.mark.django_db
JOB = (
    "INSERT INTO jobs_job (id, kind, subject, queue, state, due_at, starts, failures, owner, epoch, reason, created_at{more})"
    " VALUES (gen_random_uuid(), 'sync.run', %s, 'sync', %s, now(), 0, 0, '', 0, '', now(){values})"
)
# Of these a sealed value's binding is made, beside the addresses; and what decides whose row it is.
AIMING = {"id", "tenant_id", "connection_id", "name", "login", "provider", "environment", "auth_method"}


def run(sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall() if cursor.description else []


def refused(sql: str, *parameters: Any) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"):
        run(sql, *parameters)


def test_row_security_does_not_stop_hostile_sql(connected: Any, kaste: Any) -> None:
    with acting_as("web"), tenant_scope(kaste.id):
        assert run("SELECT id FROM vault_connection") == []
        run("SELECT set_config('portal.tenant_id', %s, true)", str(connected.tenant_id))
        assert run("SELECT id FROM vault_connection") == [(connected.id,)]


@pytest.mark.parametrize("role", ["web", "staff"])
def test_nothing_that_is_sealed_for_workers_is_read_by_any_trick(role: str, connected: Any) -> None:
    for name in [name for name, key in protected().items() if key == "KEK"]:
        table, _dot, column = name.partition(".")
        key = "version" if table == "vault_systemprivatekey" else "id"
        with acting_as(role), tenant_scope(connected.tenant_id):
            refused(f"SELECT {column} FROM {table}")
            refused(f"SELECT count(*) FROM {table} WHERE length({column}::text) > 0")
            refused(f"SELECT {table}::text FROM {table}")
            refused(f"COPY {table} TO STDOUT")
            refused(f"UPDATE {table} SET {column} = {column}")
            refused(f"UPDATE {table} SET {column} = {column} RETURNING {column}")
            refused(f"DELETE FROM {table} RETURNING {column}")
            refused(
                f"INSERT INTO {table} SELECT * FROM {table} ON CONFLICT ({key}) DO UPDATE SET {column} = {table}.{column}"
            )
            assert run("SELECT FROM pg_stats WHERE tablename = %s AND attname = %s", table, column) == []


@pytest.mark.parametrize("role", ["portal_web", "portal_staff"])
def test_nothing_that_a_sealed_value_is_bound_to_can_be_changed(role: str) -> None:
    tables = read_rights().tables
    for name in {"vault_connection", *(field.model._meta.db_table for field in SEALED_FIELDS)}:
        assert tables[name].can[role]["UPDATE"] & AIMING == set(), name


@pytest.mark.parametrize("role", ["web", "staff"])
def test_no_job_is_stuck_for_ever_by_a_row_of_somebody_who_only_asks(role: str) -> None:
    with acting_as(role):
        with pytest.raises(IntegrityError, match="jobs_running_has_lease"):
            run(JOB.format(more="", values=""), uuid.uuid4(), "running")
        refused(JOB.format(more=", lease_until", values=", 'infinity'"), uuid.uuid4(), "running")
        run(JOB.format(more="", values=""), uuid.uuid4(), "queued")
        refused("UPDATE jobs_job SET lease_until = 'infinity'")
        refused("UPDATE jobs_job SET starts = 0, failures = 0")
        refused("UPDATE jobs_job SET kind = 'notices.send_mail'")
        refused("UPDATE jobs_job SET subject = gen_random_uuid()")


@pytest.mark.parametrize("role", ["web", "staff"])
def test_no_forged_row_stands_where_no_worker_looks_or_keeps_a_tenant_from_asking(role: str, aamu: Any) -> None:
    with acting_as(role):
        with pytest.raises(IntegrityError, match="jobs_known_line"):
            run(JOB.replace("'sync', %s", "'elsewhere', %s").format(more="", values=""), uuid.uuid4(), "queued")
        with pytest.raises(IntegrityError, match="jobs_known_line"):
            run(JOB.format(more=", lane", values=", 3"), uuid.uuid4(), "queued")
        for at in ("'infinity'", "'-infinity'", "now()"):
            forged = JOB.replace("'', now(){values}", "'', " + at + "{values}")
            more, values = ", tenant_id, burst", f", '{aamu.id}', 2147483647"
            run(forged.format(more=more, values=values), uuid.uuid4(), "queued")
        job = Job.objects.get(id=enqueue(kind=RUN, subject=uuid.uuid4(), tenant_id=aamu.id))
    assert (job.queue, job.lane, job.burst) == ("sync", 2, LONGEST_BURST + 1)


def test_the_server_itself_is_out_of_reach() -> None:
    with acting_as("web"):
        for sql in (
            "COPY (SELECT 1) TO PROGRAM 'true'",
            "COPY (SELECT 1) TO '/tmp/x'",
            "SELECT pg_read_file('PG_VERSION')",
            "CREATE TABLE planted (id int)",
            "CREATE FUNCTION planted() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "CREATE ROLE planted",
            "ALTER ROLE portal_worker PASSWORD 'x'",
            "ALTER ROLE portal_web BYPASSRLS",
            "GRANT portal_worker TO portal_web",
            "SET SESSION AUTHORIZATION portal_worker",
        ):
            with pytest.raises(DatabaseError, match=r"permission denied|must be|Only roles"):
                run(sql)
