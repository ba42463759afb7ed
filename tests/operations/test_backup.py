"""A backup holds every row of every tenant, opens for its key alone, and a restored copy calls nobody until released."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from psycopg import sql

from connections.jobs import claims, services
from connections.jobs.models import DispatchSwitch, Job
from connections.jobs.registry import QUEUES
from connections.tenancy.models import SystemAuditEvent
from portal.devserver.binaries import find_postgres
from portal.operations import backup_file, dispatch, role_checks, roles
from tests.conftest import founded
from tests.kinds import starts_processes
from tests.roles import acting_as
from tests.warm_server import TEMPLATE, WarmServer

PASSWORD = "of-the-backup-role"


def run(name: str, *arguments: Any, **options: Any) -> str:
    out = StringIO()
    call_command(name, *arguments, stdout=out, **options)
    return out.getvalue()


def statement(text: str, *names: str) -> sql.Composed:
    return sql.SQL(text).format(*map(sql.Identifier, names))  # type: ignore[arg-type]


@contextmanager
def signed_in(**settings: str) -> Iterator[None]:
    """The process's own connection goes elsewhere, or is somebody else's."""
    before = {name: connection.settings_dict[name] for name in settings}
    connection.close()
    connection.settings_dict.update(settings)
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict.update(before)


def counts(address: str) -> dict[str, int]:
    """Rows by table, as the superuser sees them."""
    with psycopg.connect(address) as admin:
        names = [
            name
            for (name,) in admin.execute(
                "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
            )
        ]
        return {name: admin.execute(statement("SELECT count(*) FROM {}", name)).fetchone()[0] for name in names}  # type: ignore[index]


@pytest.fixture
@starts_processes
def databases(
    django_db_setup: None, django_db_blocker: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, str]]:
    """The name of one with rows of two tenants in it, which the connection leads to, and of an empty one."""
    server = WarmServer()
    full, empty = (f"test_{uuid.uuid4().hex[:12]}" for _ in range(2))
    with psycopg.connect(server.admin_address(), autocommit=True) as admin:
        admin.execute(statement("CREATE DATABASE {} TEMPLATE {} OWNER portal_owner", full, TEMPLATE))
        admin.execute(statement("CREATE DATABASE {} TEMPLATE template0", empty))
        admin.execute(f"ALTER ROLE {roles.BACKUP} PASSWORD '{PASSWORD}'")
    with psycopg.connect(server.admin_address(full)) as admin:
        admin.execute("DROP SCHEMA tests CASCADE")  # a superuser's own, of the tests
    with psycopg.connect(server.admin_address(empty)) as admin:
        roles.own_schema(admin)
        admin.execute(statement("GRANT CREATE, TEMPORARY ON DATABASE {} TO portal_owner", empty))
    monkeypatch.setenv("PG_BIN", str(find_postgres().folder))
    with django_db_blocker.unblock(), signed_in(NAME=full):
        yield full, empty
    with psycopg.connect(server.admin_address(), autocommit=True) as admin:
        for name in (full, empty):
            admin.execute(statement("DROP DATABASE {} WITH (FORCE)", name))


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    return backup_file.make_key_pair(tmp_path)


def taken() -> list[str]:
    """Kinds of the jobs that a worker would be given now."""
    with acting_as("worker"):
        return [lease.kind for lease in claims.claim_due(list(QUEUES), 50).leases]


def test_the_drill(databases: tuple[str, str], keys: tuple[Path, Path], tmp_path: Path, settings: Any) -> None:
    full, empty = databases
    (public, private), file, server = keys, tmp_path / "backup", WarmServer()
    with acting_as("worker"):
        from connections.vault.keys import make_system_key

        make_system_key()
    for name in ("aamu", "kaste"):
        founded(name.title(), name)
    Job.objects.create(kind="a.mail", subject=uuid.uuid4(), queue="mail")
    with pytest.raises(CommandError, match="portal_backup"):  # the owner does not see every row
        run("backup", file, public_key=public)
    settings.PROCESS = "backup"
    with signed_in(USER=roles.BACKUP, PASSWORD=PASSWORD):
        assert "Only the private key" in run("backup", file, public_key=public)
        with pytest.raises(CommandError, match="there already"):
            run("backup", file, public_key=public)
    assert b"kaste" not in file.read_bytes()
    assert b"PGDMP" not in file.read_bytes()

    settings.PROCESS = "owner"
    with signed_in(NAME=empty):
        damaged = tmp_path / "damaged"
        whole = file.read_bytes()
        for content in (whole[:-200], whole[:-300] + bytes([whole[-300] ^ 1]) + whole[-299:], whole[:40], b"x"):
            damaged.write_bytes(content)
            with pytest.raises(CommandError, match="nothing was restored"):
                run("restore", damaged, private_key=private)
            assert counts(server.admin_address(empty)) == {}
        other, _public = tmp_path / "other", None
        other.mkdir()
        with pytest.raises(CommandError, match="does not open"):
            run("restore", file, private_key=backup_file.make_key_pair(other)[1])
        assert "Restored as it was at" in run("restore", file, private_key=private)
        with pytest.raises(CommandError, match="not empty"):
            run("restore", file, private_key=private)
        before, after = counts(server.admin_address(full)), counts(server.admin_address(empty))
        assert before.pop("jobs_dispatchswitch") == 1
        assert after.pop("jobs_dispatchswitch") == 0
        assert after == before
        assert before["vault_tenantkey"] == 2 or before["tenancy_tenant"] == 2
        assert taken() == [], "a copy does nothing"
        assert "a.mail" in run("release")
        assert not dispatch.is_on()
        run("release", yes=True)
        assert "a.mail" in taken()
        assert SystemAuditEvent.objects.filter(action="dispatch.released").exists()
        assert role_checks.rights(databases=["default"]) == []


def test_hold_lets_no_job_begin_and_release_lets_them_again(db: None) -> None:
    job = Job.objects.create(kind="a.mail", subject=uuid.uuid4(), queue="mail")
    assert "Held:" in run("hold")
    assert "Held already" in run("hold")
    assert taken() == []
    assert services.claim(job.id) is None
    run("release", yes=True)
    assert "already" in run("release", yes=True)
    assert taken() == ["a.mail"]
    assert list(SystemAuditEvent.objects.values_list("action", flat=True).order_by("happened_at")) == [
        "dispatch.held",
        "dispatch.released",
    ]


def test_only_the_owner_switches(db: None) -> None:
    for role in ("web", "worker"):
        for name in ("hold", "release"):
            with acting_as(role), pytest.raises(CommandError, match="portal_owner"):
                run(name)
    assert DispatchSwitch.objects.exists()


def test_a_key_is_made_once_and_the_public_one_opens_nothing(keys: tuple[Path, Path], tmp_path: Path) -> None:
    public, private = keys
    assert {path.stat().st_mode & 0o777 for path in keys} == {0o600}
    with pytest.raises(FileExistsError):
        backup_file.make_key_pair(tmp_path)
    file = tmp_path / "file"
    with backup_file.writing(file, public) as stream:
        stream.write(b"contents")
    with pytest.raises(backup_file.Unusable), backup_file.reading(file, public):
        pass
    with pytest.raises(backup_file.Unusable), backup_file.writing(tmp_path / "another", private):
        pass
    with backup_file.reading(file, private) as (_made_at, source):
        assert source.read() == b"contents"


def test_after_an_error_no_file_is_left(keys: tuple[Path, Path], tmp_path: Path) -> None:
    file = tmp_path / "file"
    with pytest.raises(RuntimeError), backup_file.writing(file, keys[0]) as stream:
        stream.write(b"half")
        raise RuntimeError
    assert stream.closed, "it would close itself at some time, into a closed file, and print that over the cause"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup_private.json", "backup_public.json"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"attributes": frozenset()}, "portal.E033"),
        ({"inherits": frozenset()}, "portal.E033"),
        ({"attributes": frozenset({"BYPASSRLS", "CREATEDB"})}, "portal.E034"),
        ({"member_of": frozenset({"pg_read_all_data", "portal_owner"})}, "portal.E034"),
        ({"owned": 1}, "portal.E034"),
        ({}, ""),
    ],
)
def test_the_role_of_backups_sees_all_and_changes_nothing(
    db: None, settings: Any, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], code: str
) -> None:
    settings.PROCESS = "backup"
    reads = frozenset({role_checks.READS_ALL})
    facts = {"session": roles.BACKUP, "attributes": frozenset({"BYPASSRLS"}), "member_of": reads, "inherits": reads}
    monkeypatch.setattr(role_checks, "login", lambda: role_checks.Login(roles.BACKUP, **facts | change))
    monkeypatch.setattr(role_checks, "_writable_tables", set)
    assert [each.id for each in role_checks.role(databases=["default"])] == ([code] if code else [])
