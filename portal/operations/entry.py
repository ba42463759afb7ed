"""The WSGI application: Django's, with an answer in words for what Django's middleware never gets to see."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterable
from http.client import responses
from typing import Any

from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponse
from django.template.loader import render_to_string
from django.utils.http import parse_header_parameters

from portal.operations.headers import with_every_header

logger = logging.getLogger(__name__)

UTF_8 = ("utf-8", "utf8")


class Application(WSGIHandler):
    """Answers 400 to a text in any other charset than UTF-8, and 500 to whatever gets past Django's own handlers.

    Django decodes query and form with the charset that the request names, rot13 and "undefined" included, in places
    where an exception is nobody's.
    """

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        if not is_utf_8(environ.get("CONTENT_TYPE", "")):
            return _answer(400, environ, start_response)
        try:
            return super().__call__(environ, start_response)
        except Exception as error:  # noqa: BLE001  (the server's own answer would have no header and its log line values)
            place = traceback.extract_tb(error.__traceback__)[-1]
            logger.error("no answer could be made: %s at %s:%s", type(error).__name__, place.filename, place.lineno)
            return _answer(500, environ, start_response)


def is_utf_8(content_type: str) -> bool:
    """Read as Django reads it: the last charset counts."""
    try:
        _, parameters = parse_header_parameters(content_type)
    except (ValueError, LookupError):
        return False
    return parameters.get("charset", "utf-8").lower() in UTF_8


def _answer(status: int, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    response = with_every_header(environ, HttpResponse(render_to_string(f"{status}.html"), status=status))
    start_response(f"{status} {responses[status]}", list(response.items()))
    return [] if environ.get("REQUEST_METHOD") == "HEAD" else [response.content]
