"""A backup of the whole database by pg_dump, and back by pg_restore: sealed on its way, never on a disk in clear."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import IO, BinaryIO, Protocol

from django.db import connection

from connections.jobs.models import DispatchSwitch
from portal.operations import backup_file

PIECE_BYTES = 1024 * 1024
PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "HOME", "TMPDIR")


class Source(Protocol):
    """What is read piece after piece."""

    def read(self, size: int, /) -> bytes: ...


class BackupFailed(Exception):
    """Nothing was written, or nothing restored. The text says why."""


def write(path: Path, public_key: Path) -> int:
    """Dump everything into `path`, and return its size in bytes. Raises BackupFailed, backup_file.Unusable, OSError.

    The switch without which no job is done stays out, so that a copy calls nobody until somebody releases it.
    """
    if path.exists():
        message = f"{path} is there already"
        raise BackupFailed(message)
    left_out = f"--exclude-table-data=public.{DispatchSwitch._meta.db_table}"
    command = [_program("pg_dump"), "--format=custom", "--no-password", "--lock-wait-timeout=60s", left_out]
    with tempfile.TemporaryFile() as errors, backup_file.writing(path, public_key) as stream:
        dump = subprocess.Popen(  # noqa: S603  (our own words)
            command, stdout=subprocess.PIPE, stderr=errors, env=_environment()
        )
        try:
            if dump.stdout is not None:
                _copy(dump.stdout, stream)
        finally:
            code = _end(dump)
        if code:
            message = f"pg_dump ended with {code}: {_last_line(errors)}"
            raise BackupFailed(message)
    return path.stat().st_size


def restore(path: Path, private_key: Path) -> datetime:
    """Put everything into an empty database, in one transaction, and return when the backup was made.

    Raises BackupFailed, backup_file.Unusable, OSError; then the database is as empty as before.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace")
        if cursor.fetchone()[0]:
            message = "the database is not empty; a backup is put into a new one"
            raise BackupFailed(message)
    connection.close()  # it would be idle for as long as the restore takes
    database = str(connection.settings_dict["NAME"])
    command = [_program("pg_restore"), "--single-transaction", "--exit-on-error", "--no-owner", "--no-password"]
    with tempfile.TemporaryFile() as errors, backup_file.reading(path, private_key) as (made_at, stream):
        load = subprocess.Popen(  # noqa: S603  (our own words)
            [*command, f"--dbname={database}"], stdin=subprocess.PIPE, stderr=errors, env=_environment()
        )
        is_whole = False
        try:
            if load.stdin is not None:
                is_whole = _feed(load.stdin, stream)
        finally:
            if not is_whole:
                load.kill()  # before it learns of an end: what it has done is rolled back
            code = _end(load)
        if code:
            message = f"pg_restore ended with {code}: {_last_line(errors)}"
            raise BackupFailed(message)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return made_at


def _feed(target: IO[bytes], source: Source) -> bool:
    """False where nobody takes it any more: the other side says why."""
    with suppress(BrokenPipeError):
        _copy(source, target)
        target.close()
        return True
    return False


def _copy(source: Source, target: IO[bytes] | BinaryIO) -> None:
    while piece := source.read(PIECE_BYTES):
        target.write(piece)


def _end(process: subprocess.Popen[bytes]) -> int:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()
    return process.wait()


def _last_line(errors: IO[bytes]) -> str:
    """PostgreSQL's own words: names of tables and roles, no values."""
    errors.seek(0)
    lines: Sequence[str] = errors.read().decode(errors="replace").strip().splitlines()
    return next((line for line in lines if "error" in line.lower()), lines[-1] if lines else "no word")


def _program(name: str) -> str:
    """Of PostgreSQL's own, of the server's version or newer."""
    program = shutil.which(name, path=os.environ.get("PG_BIN") or None)
    if program is None:
        message = f"{name} is not here. Install PostgreSQL's client programs, or name their folder by PG_BIN"
        raise BackupFailed(message)
    return program


def _environment() -> Mapping[str, str]:
    """How libpq's programs are told where to go: on a command line, everybody could read the password."""
    settings = connection.settings_dict
    options = settings["OPTIONS"]
    variables = {
        "PGHOST": settings["HOST"],
        "PGPORT": settings["PORT"],
        "PGUSER": settings["USER"],
        "PGPASSWORD": settings["PASSWORD"],
        "PGDATABASE": settings["NAME"],
        "PGAPPNAME": options.get("application_name", ""),
        "PGCONNECT_TIMEOUT": str(options.get("connect_timeout", "")),
        "PGTARGETSESSIONATTRS": options.get("target_session_attrs", ""),
        "PGSSLMODE": options.get("sslmode", ""),
        "PGSSLROOTCERT": options.get("sslrootcert", ""),
        "PGSSLCERT": options.get("sslcert", ""),
        "PGSSLKEY": options.get("sslkey", ""),
    }
    inherited = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return inherited | {name: str(value) for name, value in variables.items() if value}
