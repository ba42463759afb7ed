"""One line of the log for each answer, without anything that could let somebody in, and the id that all of it is known by."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from connections.tenancy.trace import tracing
from portal.operations.health import ADDRESSES
from portal.operations.metrics import observe_page

logger = logging.getLogger("portal.access")

TRACE_HEADER = "X-Request-ID"
METHODS = {"GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"}
STATIC = "static"


class AccessMiddleware:
    """Around whatever makes answers.

    An address may hold a token, so the line names the page by its name and says no address, no query and no header; who
    asked, by their id, where anybody looked. Where they asked from, the proxy's log says.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path in ADDRESSES:
            return self.get_response(request)
        begun = time.monotonic()
        with tracing() as trace:  # never theirs: who could choose it could put anything into our logs
            response = self.get_response(request)
            seconds = time.monotonic() - begun
            page = _page(request)
            observe_page(page, response.status_code, seconds)
            facts = {
                "page": page,
                "method": request.method if request.method in METHODS else "other",
                "status": response.status_code,
                "milliseconds": round(seconds * 1000),
                "person": getattr(getattr(request, "_cached_user", None), "pk", None),
            }
            logger.info("answered", extra={"facts": facts})
        response[TRACE_HEADER] = trace
        return response


def _page(request: HttpRequest) -> str:
    """The name of the address in urls.py; '' where none was meant."""
    match = request.resolver_match
    if match is not None:
        return match.view_name or ""
    return STATIC if request.path.startswith(settings.STATIC_URL) else ""
