"""What this process says about itself: log lines, reports of errors, and mails to admins; none with anybody's values in it."""

from __future__ import annotations

import json
import logging
from datetime import datetime, timezone
from threading import Thread
from types import FrameType
from typing import Any

from django.db import connections
from django.http import HttpRequest, QueryDict
from django.utils.log import AdminEmailHandler
from django.utils.safestring import SafeString
from django.views.debug import ExceptionReporter, SafeExceptionReporterFilter

from connections.transport.redaction import redact

logger = logging.getLogger(__name__)

PATIENCE = 5.0  # seconds that an answer of 500 waits for its mail to be written
LONGEST = 16 * 1024  # characters of one part of a line


class Line(logging.Formatter):
    """One event, one line of JSON in ASCII: line ends, control characters and bidi marks can only stand escaped in it."""

    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "at": datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "process": record.process,
            "message": record.getMessage()[:LONGEST],
        }
        trace = record.exc_text or (self.formatException(record.exc_info) if record.exc_info else "")
        for name, text in (("trace", trace), ("stack", record.stack_info)):
            if text:
                fields[name] = text[-LONGEST:]
        return json.dumps(fields)


class NothingGiven(SafeExceptionReporterFilter):
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


class AdminMail(AdminEmailHandler):
    """Django's mails about errors, searched for live secrets as a whole; in plain text only."""

    def send_mail(self, subject: Any, message: Any, *args: Any, **kwargs: Any) -> None:
        """In a thread, which has a transaction of its own: the request's is about to be rolled back, mail and all."""
        given = redact(subject), redact(message), *args
        sending = Thread(target=self._send, args=given, kwargs=kwargs | {"html_message": None})
        sending.start()
        sending.join(PATIENCE)

    def _send(self, *args: Any, **kwargs: Any) -> None:
        try:
            super().send_mail(*args, **kwargs)
        except Exception as error:  # noqa: BLE001  (nobody is left to hear of it but the log)
            logger.warning("a mail about an error could not be written: %s", type(error).__name__)
        finally:
            connections.close_all()
