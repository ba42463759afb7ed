"""Whether this process lives, whether it is fit to serve, and whether work is done behind it: plain answers for a watcher.

None of them waits for the database for longer than a second and a half: a server that is stopped, or a machine that is gone,
answers neither yes nor no.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from threading import Lock, Thread

from django.db import connections
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase

from connections.tenancy.single_query import DatabaseSilent, query_within

logger = logging.getLogger(__name__)

ADDRESSES = LIVE, READY, BACKGROUND = "/health/live", "/health/ready", "/health/background"
ANSWER_SECONDS = 1.2  # for the database to say anything at all
CHECK_SECONDS = 0.5  # more for the checks of a start, where they are being made just now
REPEATED_SECONDS = 1.0  # how old an answer may be that somebody else was given: anybody may ask, as often as they like
RECHECK_SECONDS = 30.0  # the checks of a start are repeated no more often than this
STUCK_SECONDS = 60.0  # a check that lasts for so long waits for a server that is gone


class HealthMiddleware:
    """Answers before hosts, sessions and scopes matter."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path == LIVE:
            return JsonResponse({"status": "ok"})
        if request.path == READY:
            return _answer(ready.ask())
        if request.path == BACKGROUND:
            return _answer(background.ask())
        return self.get_response(request)


def _answer(status: str) -> HttpResponse:
    """Says no more than whether: anybody may ask."""
    return JsonResponse({"status": status}, status=200 if status == "ok" else 503)


class Repeated:
    """What `find_out` says, no more often than once in a second."""

    def __init__(self, find_out: Callable[[], str]) -> None:
        self._find_out = find_out
        self._lock = Lock()
        self._until = 0.0
        self._status = ""

    def ask(self) -> str:
        with self._lock:
            if time.monotonic() >= self._until:
                self._status = self._find_out()
                self._until = time.monotonic() + REPEATED_SECONDS
            return self._status


class Readiness:
    """What the checks of a start say of a process that runs already: a restore may have changed the tables under it.

    They are made in a thread of their own, which may wait for as long as it has to; asked in between, the last answer counts.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._checking: Thread | None = None
        self._begun_at = 0.0
        self._due_at = 0.0
        self._is_ready = True  # who serves has passed them at its start

    def is_ready(self) -> bool:
        """What the last checks said, waited for half a second at most."""
        with self._lock:
            now = time.monotonic()
            is_idle = self._checking is None or not self._checking.is_alive()
            if (is_idle and now >= self._due_at) or (not is_idle and now > self._begun_at + STUCK_SECONDS):
                self._begun_at = now
                self._checking = Thread(target=self._check, name="readiness", daemon=True)
                self._checking.start()
            checking = self._checking
        if checking is not None:
            checking.join(CHECK_SECONDS)
        return self._is_ready

    def _check(self) -> None:
        from portal.operations.start import findings_on_database  # needs the apps, which load after this module

        try:
            errors = [message for message in findings_on_database() if message.is_serious()]
            for message in errors:
                logger.error("not ready: %s (%s)", message.msg, message.id)
            self._is_ready = not errors
        finally:
            self._due_at = time.monotonic() + RECHECK_SECONDS
            connections.close_all()  # this thread's


readiness = Readiness()


def _readiness() -> str:
    try:
        query_within(ANSWER_SECONDS, "SELECT 1")
    except DatabaseSilent:
        return "no database"
    return "ok" if readiness.is_ready() else "not fit"


def _background() -> str:
    """Whether what people ask for is done by anybody. A web process serves pages all the same where it is not."""
    from connections.jobs import vital_signs  # needs the apps, which load after this module

    try:
        signs = vital_signs.read()
    except DatabaseSilent:
        return "no database"
    if not signs.is_dispatched:
        return "held"
    if signs.queues_without_worker():
        return "no worker"
    if not signs.is_swept():
        return "no sweep"
    return "late jobs" if signs.late_queues() else "ok"


ready, background = Repeated(_readiness), Repeated(_background)
