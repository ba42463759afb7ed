"""What this process says about itself: log lines, reports of errors, and mails to admins; none with anybody's values in it."""

from __future__ import annotations

import json
import logging
from datetime import datetime, timezone
from threading import Thread
from traceback import format_tb, walk_tb
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.exceptions import BadRequest, PermissionDenied, RequestAborted, SuspiciousOperation
from django.core.mail import mail_admins
from django.db import connections
from django.http import Http404, HttpRequest, QueryDict, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.debug import ExceptionReporter, SafeExceptionReporterFilter

from connections.tenancy.trace import job_id, trace_id
from connections.transport.log.redaction import redact
from portal.env import BASE_DIR

logger = logging.getLogger(__name__)

OURS = tuple(f"{BASE_DIR}/{package}/" for package in ("portal", "connections"))

MAIL_WAIT_SECONDS = 5.0  # an answer of 500 waits so long for its mail to be written
MAX_PART_CHARACTERS = 16 * 1024  # of a line


class JSONLineFormatter(logging.Formatter):
    """One event, one line of JSON in ASCII: line ends, control characters and bidi marks can only stand escaped in it.

    `at` is in UTC, and says so by its offset. `facts` of a record are its own fields; `trace_id` leads from one process to
    another.
    """

    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "at": datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "process": record.process,
            "of": settings.PROCESS,
            "message": record.getMessage()[:MAX_PART_CHARACTERS],
        }
        fields |= {name: value for name, value in (("trace_id", trace_id()), ("job_id", job_id())) if value}
        fields |= getattr(record, "facts", {})
        trace = record.exc_text or (self.formatException(record.exc_info) if record.exc_info else "")
        for name, text in (("trace", trace), ("stack", record.stack_info)):
            if text:
                fields[name] = text[-MAX_PART_CHARACTERS:]
        return json.dumps(fields)


class ReportFilter(SafeExceptionReporterFilter):
    """Of a request and of the frames of a traceback: no field, no header, no cookie, no variable; and no setting."""

    def is_active(self, request: HttpRequest | None) -> bool:
        return True

    def get_post_parameters(self, request: HttpRequest | None) -> QueryDict:
        return QueryDict()

    def get_safe_request_meta(self, request: HttpRequest | None) -> dict[str, Any]:
        return {}

    def get_safe_cookies(self, request: HttpRequest | None) -> dict[str, Any]:
        return {}

    def get_safe_settings(self) -> dict[str, Any]:
        return {}

    def get_traceback_frame_variables(self, request: HttpRequest | None, tb_frame: FrameType) -> Any:
        return {}.items()


class Report(ExceptionReporter):
    """Where it went wrong, in which view and how; not what was asked with."""

    def get_traceback_data(self) -> dict[str, Any]:
        self.request = None  # it is not read, either: that may fail once more, and then nobody has an answer
        # Without the request the templates tell nothing of it; what a template was filled with is nobody's business.
        return {**super().get_traceback_data(), "request": None, "template_info": None, "unicode_hint": ""}

    def get_traceback_text(self) -> SafeString:
        return SafeString(redact(super().get_traceback_text()))  # nosec B703 - plain text

    def get_traceback_html(self) -> SafeString:
        # Escaped by Django; what redaction puts in its place are dots.
        return SafeString(redact(super().get_traceback_html()))  # nosec B703


# What somebody asked for badly is no error of ours, however often it is asked.
CLIENT_ERRORS = (
    SuspiciousOperation,  # DisallowedHost, RequestDataTooBig, TooManyFieldsSent and their siblings
    BadRequest,
    PermissionDenied,
    Http404,
    MultiPartParserError,
    UnreadablePostError,
    RequestAborted,
)


class AdminMail(logging.Handler):
    """Mails to admins about errors, grouped by kind (portal/notices/error_groups.py). They say what failed and where:
    types, places in code, the pattern of the address. No text of an exception, no address, nothing that was sent."""

    def emit(self, record: logging.LogRecord) -> None:
        """In a thread, which has a transaction of its own: the request's is about to be rolled back, mail and all."""
        if not settings.ADMINS or _is_of_the_client(record):
            return
        try:
            label, text = _label(record), redact(_described(record))
            writing = Thread(target=_count, args=(label, text))
            writing.start()
            writing.join(MAIL_WAIT_SECONDS)
        except Exception:  # noqa: BLE001  (a report that fails must not fail the answer)
            self.handleError(record)


def _is_of_the_client(record: logging.LogRecord) -> bool:
    kind = record.exc_info[0] if record.exc_info else None
    status = getattr(record, "status_code", None)
    is_4xx = isinstance(status, int) and 400 <= status < 500
    return (
        is_4xx or record.name.startswith("django.security") or (kind is not None and issubclass(kind, CLIENT_ERRORS))
    )


def _label(record: logging.LogRecord) -> str:
    """The kind of error: what was raised, and the innermost place of ours that it came through."""
    kind, _error, trace = record.exc_info or (None, None, None)
    if kind is None:
        return f"{record.name} at {_relative_path(record.pathname)}:{record.lineno}"
    frames = list(walk_tb(trace))
    ours = [each for each in frames if str(each[0].f_code.co_filename).startswith(OURS)]
    name = f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")
    for frame, line in reversed(ours or frames):
        return f"{name} at {_relative_path(frame.f_code.co_filename)}:{line} in {frame.f_code.co_name}"
    return name


def _described(record: logging.LogRecord) -> str:
    """The frames of the traceback and of what caused it, as code: without texts of exceptions, which quote values."""
    match = getattr(getattr(record, "request", None), "resolver_match", None)
    at = datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds")
    parts = [f"{record.levelname} of {record.name} at {at}, process {record.process}."]
    if match is not None:
        parts.append(f"Address: {match.route}")
    error = record.exc_info[1] if record.exc_info else None
    ids: set[int] = set()
    while error is not None and id(error) not in ids:
        ids.add(id(error))
        parts.append(
            f"{type(error).__module__}.{type(error).__qualname__}\n" + "".join(format_tb(error.__traceback__))
        )
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n\n".join(parts)[:MAX_PART_CHARACTERS]


def _relative_path(path: str) -> str:
    return path.removeprefix(f"{BASE_DIR}/")


def _count(label: str, text: str) -> None:
    from portal.notices import error_groups  # logging is set up before the apps are loaded

    try:
        subject = _("Error: %(label)s") % {"label": label}
        error_groups.count(label, lambda: mail_admins(subject, text))
    except Exception as error:  # noqa: BLE001  (nobody is left to hear of it but the log)
        logger.warning("a mail about an error could not be written: %s", type(error).__name__)
    finally:
        connections.close_all()
