"""What a process does before its work: every check, and one clear line instead of a start when one of them fails."""

from __future__ import annotations

import logging
import sys
from typing import NoReturn

from django.conf import settings
from django.core.checks import CheckMessage
from django.db import connections

from connections.vault import keys
from portal.operations import checks, database_checks

logger = logging.getLogger(__name__)

# Gunicorn's code for "do not start this worker again"; any other would make it try for ever.
REFUSED = 3

ON_SETTINGS = (
    checks.secret_key,
    checks.key_files,
    checks.oauth_flags,
    checks.talkative_loggers,
    checks.production,
)
ON_DATABASE = (
    database_checks.server,
    database_checks.role,
    database_checks.migrations,
    database_checks.row_security,
    database_checks.clock,
)


def refuse_bad_start(process: str) -> None:
    """Ends this process, exit code 3, unless everything a `process` ("web", "worker", "beat") needs is right.

    Leaves no database connection open.
    """
    if process != settings.PROCESS:
        _exit(f"this is a {process} process, but PORTAL_PROCESS says {settings.PROCESS}. Set it to {process}.")
    try:
        messages = findings()
        for message in messages:
            if not message.is_serious():
                logger.warning("%s %s (%s)", message.msg, message.hint, message.id)
        wrong = [message for message in messages if message.is_serious()]
        if wrong:
            _refuse(wrong)
        if settings.PROCESS == "worker":
            _prove_keys()
    finally:
        connections.close_all()  # whoever forks later must not share one


def findings() -> list[CheckMessage]:
    """Every check of this kind of process, the database's only when it can be reached."""
    found = [message for check in ON_SETTINGS for message in check()]
    unreachable = database_checks.reachable()
    if unreachable:
        return found + unreachable
    return found + [message for check in ON_DATABASE for message in check(databases=["default"])]


def _prove_keys() -> None:
    """The house's keys are made by the first worker; a worker whose KEK does not open them would fail at every job."""
    try:
        keys.make_house_key()
        version, _ = keys.newest_public(keys.HOUSE)
        keys.opener(keys.HOUSE, version)
    except keys.KeyUnavailable as problem:
        _exit(f"{problem}. Give this worker the key-encryption key this installation was made with (PORTAL_KEK_FILE).")


def _refuse(wrong: list[CheckMessage]) -> NoReturn:
    first, others = wrong[0], len(wrong) - 1
    more = f" And {others} more: `manage.py check --deploy --database default` lists them." if others else ""
    _exit(f"{first.msg} {first.hint} ({first.id}){more}")


def _exit(line: str) -> NoReturn:
    # Celery puts its log in the place of sys.stderr; this line is for whoever started the process.
    print(f"portal: {' '.join(line.split())}", file=sys.__stderr__, flush=True)
    raise SystemExit(REFUSED)
