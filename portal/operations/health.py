"""Whether this process lives, and whether it is fit to serve: two plain answers for whoever watches it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from threading import Lock

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase

logger = logging.getLogger(__name__)

LIVE, READY = "/health/live", "/health/ready"
RECHECK_SECONDS = 30.0  # the checks of a start are repeated no more often than this


class HealthMiddleware:
    """Answers before hosts, sessions and scopes matter."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path == LIVE:
            return JsonResponse({"status": "ok"})
        if request.path == READY:
            return _ready()
        return self.get_response(request)


class Readiness:
    """What the checks of a start say of a process that runs already: a restore may have changed the tables under it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._until = 0.0
        self._is_ready = False

    def is_ready(self) -> bool:
        with self._lock:
            if time.monotonic() >= self._until:
                self._is_ready = self._check()
                self._until = time.monotonic() + RECHECK_SECONDS
            return self._is_ready

    def _check(self) -> bool:
        from portal.operations.start import findings_on_database  # needs the apps, which load after this module

        errors = [message for message in findings_on_database() if message.is_serious()]
        for message in errors:
            logger.error("not ready: %s (%s)", message.msg, message.id)
        return not errors


readiness = Readiness()


def _ready() -> HttpResponse:
    """Says no more than whether: anybody may ask."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return JsonResponse({"status": "no database"}, status=503)
    if not readiness.is_ready():
        return JsonResponse({"status": "not fit"}, status=503)
    return JsonResponse({"status": "ok"})
