"""Twenty leaks planted in code, on their way out through this process's real handlers: all twenty are caught."""

from __future__ import annotations

import base64
import json
import logging
import logging.config
import warnings
from io import StringIO
from typing import Any
from urllib.parse import quote

import pytest
from django.conf import settings as django_settings
from django.core import mail
from django.http import HttpRequest
from django.test import RequestFactory

from connections.vault.secret import Secret
from portal.operations import checks
from portal.operations.reports import JSONLineFormatter
from tests.searching import Search

KEY = "canary/9f+Zq=31~Abx&7ä"
PASSWORD = "typed-by-a-person-51"  # what was never a Secret of ours
logger = logging.getLogger("connections.planted")


@pytest.fixture
def written() -> Any:
    """What stderr would get: the handler of our own settings, with a stream that can be read."""
    configurator = logging.config.DictConfigurator(django_settings.LOGGING)
    configurator.config["filters"] = {
        "redacting": configurator.configure_filter(dict(django_settings.LOGGING["filters"]["redacting"]))
    }
    configurator.config["formatters"] = {
        "line": configurator.configure_formatter(dict(django_settings.LOGGING["formatters"]["line"]))
    }
    stream = StringIO()
    handler = configurator.configure_handler({**django_settings.LOGGING["handlers"]["stderr"], "stream": stream})
    root = logging.getLogger()
    root.addHandler(handler)
    yield stream
    root.removeHandler(handler)


def output_of(stream: StringIO) -> str:
    assert Search([("key", KEY), ("password", PASSWORD)]).look("the log", stream.getvalue()) == []
    return stream.getvalue()


class Careless:
    def __repr__(self) -> str:
        return f"Careless({KEY!r})"


def raising(error: BaseException, cause: BaseException | None = None) -> None:
    raise error from cause


def trace(error: BaseException, cause: BaseException | None = None) -> None:
    try:
        raising(error, cause)
    except type(error):
        logger.exception("it failed")


def noted() -> Exception:
    error = ValueError("bad")
    error.add_note(f"while sending {KEY}")
    return error


def nested() -> ExceptionGroup[Exception]:
    return ExceptionGroup("two", [ValueError(KEY), KeyError(f"{KEY}!")])


LEAKS = {
    "in a message": lambda: logger.error("sent %s", KEY),
    "formatted in": lambda: logger.error(f"sent {KEY}"),
    "twice in a line": lambda: logger.error("%s and %s again", KEY, KEY),
    "in a dictionary": lambda: logger.error("body %s", {"grant": [KEY, {"x": KEY}]}),
    "by a careless repr": lambda: logger.error("%r", Careless()),
    "in bytes": lambda: logger.error("%r", KEY.encode()),
    "in an address": lambda: logger.error("GET https://x.example/?t=%s", quote(KEY, safe="")),
    "in an address in an address": lambda: logger.error("/login?next=%s", quote(quote(f"/x?t={KEY}", safe=""), safe="")),
    "as basic credentials": lambda: logger.error("%s", base64.b64encode(f"id:{KEY}".encode()).decode()),
    "as base64url": lambda: logger.error("%s", base64.urlsafe_b64encode(f"a{KEY}".encode()).decode()),
    "in hex": lambda: logger.error("%s", KEY.encode().hex()),
    "in JSON": lambda: logger.error("%s", json.dumps({"a": KEY})),
    "in JSON in JSON": lambda: logger.error("%s", json.dumps(json.dumps({"a": KEY}))),
    "in an exception": lambda: trace(ValueError(f"no {KEY}")),
    "in its cause": lambda: trace(ValueError("no"), KeyError(KEY)),
    "in its note": lambda: trace(noted()),
    "in a group": lambda: trace(nested()),
    "in the stack": lambda: logger.error("here", stack_info=True, extra={"secret": KEY}),
    "behind a name": lambda: logger.error("form: %s", {"password": PASSWORD, "client_secret": PASSWORD}),
    "by a library that says too much": lambda: logging.getLogger("urllib3.connectionpool").error(
        "Retrying after error: /v1/x?access_token=%s", PASSWORD
    ),
}  # fmt: skip


def test_there_are_twenty() -> None:
    assert len(LEAKS) == 20


@pytest.mark.parametrize("leak", LEAKS)
def test_a_planted_leak_is_caught(leak: str, written: StringIO) -> None:
    Secret(KEY).reveal()
    LEAKS[leak]()
    assert written.getvalue(), "nothing was written at all"
    output_of(written)


def test_without_the_net_every_one_of_them_would_be_seen(written: StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the test above can fail."""
    (handler,) = [each for each in logging.getLogger().handlers if getattr(each, "stream", None) is written]
    handler.filters.clear()
    monkeypatch.setattr(logging.getLogger(), "handlers", [handler])
    Secret(KEY).reveal()
    unseen = []
    for name, leak in LEAKS.items():
        written.truncate(0)
        written.seek(0)
        leak()
        lines = [json.loads(line) for line in written.getvalue().splitlines()]
        text = "\n".join(str(part) for line in lines for part in line.values())
        if not Search([("key", KEY), ("password", PASSWORD)]).look(name, text):
            unseen.append(name)
    # The search knows seven forms; as bytes are written, and a line of source code without a value, are none of them.
    assert unseen == ["in bytes", "in the stack"]


# -- one event, one line -----------------------------------------------------------------------------------------------


HOSTILE = [
    "a\r\nERROR root forged",
    "\x1b[2J\x1b]0;x\x07",
    "\u202e\u2066\u2028\u2029\x85",
    "\x00\x08\x7f",
    "ä中\U0001f600",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_an_event_is_one_line_of_ascii(written: StringIO, text: str) -> None:
    logger.error("said: %s", text)
    (line,) = written.getvalue().splitlines()
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line)["message"] == f"said: {text}"


def test_a_megabyte_is_cut(written: StringIO) -> None:
    logger.error("%s", "\x00" * 1_000_000)
    trace(ValueError("é" * 1_000_000))
    for line in written.getvalue().splitlines():
        assert len(line) < 300_000
        assert json.loads(line)["logger"] == "connections.planted"


def test_a_line_says_when_and_where(written: StringIO) -> None:
    logger.warning("hello")
    line = json.loads(written.getvalue())
    assert (line["level"], line["logger"], line["message"]) == ("WARNING", "connections.planted", "hello")
    assert line["at"].endswith("+00:00")


def test_a_formatter_without_the_filter_still_writes_the_trace() -> None:
    try:
        raising(ValueError("x"))
    except ValueError as error:
        record = logging.LogRecord("a", 40, __file__, 1, "m", (), (type(error), error, error.__traceback__))
    assert "ValueError: x" in json.loads(JSONLineFormatter().format(record))["trace"]


# -- reports of errors, and mails about them ---------------------------------------------------------------------------


def request() -> HttpRequest:
    stop_requests = RequestFactory().post(
        f"/oauth/callback?code={PASSWORD}",
        {"api_key": PASSWORD, "note": PASSWORD},
        headers={"cookie": f"session={PASSWORD}", "authorization": f"Bearer {PASSWORD}", "referer": f"/{PASSWORD}"},
    )
    return stop_requests


def fail(request: HttpRequest) -> None:
    typed = request.POST["api_key"]
    values = {"key": KEY, "typed": typed}
    try:
        raising(KeyError(KEY))
    except KeyError as cause:
        message = f"could not send {values['key']}"
        raise ValueError(message) from cause


@pytest.mark.parametrize("is_html", [False, True])
def test_a_report_tells_where_and_not_with_what(is_html: bool) -> None:
    from django.views.debug import get_exception_reporter_class

    stop_requests = request()
    Secret(KEY).reveal()
    try:
        fail(stop_requests)
    except ValueError as error:
        report = get_exception_reporter_class(stop_requests)(stop_requests, type(error), error, error.__traceback__)
    text = report.get_traceback_html() if is_html else report.get_traceback_text()
    assert "ValueError" in text
    assert "test_reports.py" in text
    assert Search([("key", KEY), ("typed", PASSWORD), ("our key", django_settings.SECRET_KEY)]).look("it", text) == []
    assert "DATABASES" not in text


def test_a_mail_to_admins_is_searched_as_a_whole(committed_db: None, settings: Any, written: StringIO) -> None:
    settings.ADMINS = [("", "admin@pilotage.example")]
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    Secret(KEY).reveal()
    stop_requests = request()
    try:
        fail(stop_requests)
    except ValueError:
        logging.getLogger("django.request").exception(
            "Internal Server Error: /x/%s", KEY, extra={"request": stop_requests}
        )
    (message,) = mail.outbox
    whole = message.message().as_string() + message.subject + message.body
    assert "ValueError" in message.body
    assert Search([("key", KEY), ("typed", PASSWORD)]).look("the mail", whole) == []
    output_of(written)


def test_a_mail_to_admins_stays_when_the_request_is_rolled_back(
    committed_db: None, system_key: None, sign_in: Any, alice: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from portal.notices.models import OutgoingMail

    settings.ADMINS = [("", "admin@pilotage.example")]
    settings.EMAIL_BACKEND = "portal.notices.mail.QueuedBackend"
    monkeypatch.setattr("portal.dashboard.views.home_page", fail)  # it is given no request, and so fails by itself
    browser = sign_in(alice)
    browser.raise_request_exception = False
    assert browser.get("/t/aamu/").status_code == 500
    assert OutgoingMail.objects.count() == 1


# -- loggers that say too much -----------------------------------------------------------------------------------------


@pytest.fixture
def production(settings: Any) -> Any:
    settings.DEMO = False
    return settings


@pytest.mark.parametrize(
    "name", [*checks.VERBOSE_LOGGERS, "urllib3.connectionpool", "django.db.backends.schema", "celery.task"]
)
def test_no_talkative_logger_may_be_at_debug_in_production(production: Any, name: str) -> None:
    assert checks.verbose_loggers() == []
    spoken = logging.getLogger(name)
    before = spoken.level
    spoken.setLevel(logging.DEBUG)
    try:
        errors = checks.verbose_loggers()
    finally:
        spoken.setLevel(before)
    assert {message.id for message in errors} == {"portal.E028"}
    assert any(name in str(message.msg) for message in errors)


def test_debug_of_everything_does_not_reach_them(production: Any) -> None:
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.DEBUG)
    try:
        assert checks.verbose_loggers() == []
    finally:
        root.setLevel(before)


def test_python_warnings_are_no_way_around(written: StringIO) -> None:
    Secret(KEY).reveal()
    logging.captureWarnings(True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn(f"deprecated: {KEY}", stacklevel=1)
    finally:
        logging.captureWarnings(False)
    output_of(written)
