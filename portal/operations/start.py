"""What a process does before its work: every check, and one clear line instead of a start when one of them fails."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.db import DatabaseError, connections

from connections.vault import keys
from portal.operations import checks, database_checks, key_proofs, role_checks

logger = logging.getLogger(__name__)

# A server with worker processes must not start this one again: gunicorn's code for that, and ours for every refusal.
REFUSED = 3

ON_SETTINGS = (
    checks.secret_key,
    checks.key_files,
    checks.oauth_flags,
    checks.broker,
    checks.verbose_loggers,
    checks.production,
)
AT_A_START = (checks.collected_files,)
ON_DATABASE = (
    database_checks.server,
    role_checks.role,
    database_checks.migrations,
    database_checks.row_security,
    role_checks.rights,
    database_checks.timeouts,
    database_checks.clock,
)


def refuse_bad_start(process: str) -> None:
    """Ends this process, exit code 3, unless everything a `process` ("web", "worker", "beat") needs is right.

    Whatever goes wrong in here ends it, too: Celery goes on after any exception but SystemExit. Leaves no database
    connection open.
    """
    try:
        _refuse_bad_start(process)
    except Exception as error:  # noqa: BLE001  (a check that cannot be made has not passed)
        _exit(f"this {process} process could not be checked: {_reason(error)}")


def _refuse_bad_start(process: str) -> None:
    if process != settings.PROCESS:
        _exit(f"this is a {process} process, but PORTAL_PROCESS says {settings.PROCESS}. Set it to {process}.")
    try:
        messages = findings()
        for message in messages:
            if not message.is_serious():
                logger.warning("%s %s (%s)", message.msg, message.hint, message.id)
        errors = [message for message in messages if message.is_serious()]
        if errors:
            _refuse(errors)
        _prove_keys()
    finally:
        connections.close_all()  # whoever forks later must not share one


def findings() -> list[CheckMessage]:
    """Every check of this kind of process, the database's only when it can be reached."""
    messages = [message for check in (*ON_SETTINGS, *AT_A_START) for message in run_check(check)]
    return messages + findings_on_database()


def findings_on_database() -> list[CheckMessage]:
    unreachable = run_check(database_checks.reachable)
    if unreachable:
        return unreachable
    return [message for check in ON_DATABASE for message in run_check(check, databases=["default"])]


def run_check(check: Callable[..., list[CheckMessage]], **arguments: Any) -> list[CheckMessage]:
    """What it finds; that it could not be made is a finding, too."""
    try:
        return check(**arguments)
    except Exception as error:  # noqa: BLE001
        return [
            Error(
                f"The check of {check.__name__.replace('_', ' ')} could not be made: {_reason(error)}.",
                hint="Nothing starts unchecked. After a restore, give the roles their rights on every table again.",
                id="portal.E018",
            )
        ]


def _reason(error: Exception) -> str:
    """PostgreSQL's first line names tables and roles; what other exceptions say may hold anything."""
    if isinstance(error, DatabaseError):
        return str(error).strip().partition("\n")[0]
    return type(error).__name__


def _prove_keys() -> None:
    """A key that opens nothing of this installation would fail at every job, or at every second factor."""
    try:
        if settings.PROCESS == "worker":
            key_proofs.prove_key_encryption_key()
        elif settings.PROCESS == "web":
            key_proofs.prove_web_keyset()
    except keys.KeyUnavailable as problem:
        name = "PORTAL_KEK_FILE" if settings.PROCESS == "worker" else "PORTAL_WEB_KEYSET_FILE"
        _exit(f"{problem}. Give this {settings.PROCESS} process the key this installation was made with ({name}).")


def _refuse(errors: list[CheckMessage]) -> NoReturn:
    first, others = errors[0], len(errors) - 1
    more = f" And {others} more: `manage.py check --deploy --database default` lists them." if others else ""
    _exit(f"{first.msg} {first.hint} ({first.id}){more}")


def _exit(line: str) -> NoReturn:
    # Celery puts its log in the place of sys.stderr; this line is for whoever started the process.
    print(f"portal: {' '.join(line.split())}", file=sys.__stderr__, flush=True)
    raise SystemExit(REFUSED)
