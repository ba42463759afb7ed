"""Every page that changes something has a limit or says why not; nothing in the database can be a program."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings
from django.contrib.sessions.serializers import JSONSerializer
from django.urls import URLPattern, URLResolver, get_resolver

from portal.rate_limits import limits
from portal.rate_limits.limits import Limit
from portal.rate_limits.pages import ACCOUNT_PAGES
from tests.conftest import RoleClient
from tests.pages.crowd import ADDRESSES, settle
from tests.signing import offer, signing_provider

REPOSITORY = Path(__file__).resolve().parents[2]

# Takes a POST and has no limit of its own beside that of any form.
WITHOUT_LIMIT = {
    "admin:login": "sends on to the one sign-in, and does nothing",
    "account_inactive": "a page of words",
    "account_reset_password_done": "a page of words",
    "account_reset_password_from_key_done": "a page of words",
    "account_email_verification_sent": "a page of words",
    "mfa_index": "a page of words",
    "mfa_view_recovery_codes": "a page of words",
    "mfa_download_recovery_codes": "a page of words",
}
EXAMPLES = {"slug": "aamu", "uuid": UUID(int=7), "int": 1, "str": "x", "path": "x"}


def patterns(of: Any = None, prefix: str = "", route: str = "/") -> Iterator[tuple[str, str, URLPattern]]:
    """(name, address with examples in it, pattern) of every address of the portal."""
    for each in (of or get_resolver()).url_patterns:
        here = route + re.sub(
            r"<(?:(\w+):)?\w+>", lambda found: str(EXAMPLES[found[1] or "str"]), str(each.pattern).lstrip("^")
        )
        if isinstance(each, URLResolver):
            space = f"{each.namespace}:" if each.namespace else ""
            yield from patterns(each, prefix + space, here)
        else:
            yield f"{prefix}{each.name or each.pattern}", here, each


def takes_posts(pattern: URLPattern) -> bool:
    """Whether a POST reaches the view: its class takes it, or none of its decorators refuses it."""
    view: Any = pattern.callback
    view_class = getattr(view, "view_class", None)
    if view_class is not None:
        return hasattr(view_class, "post")
    while view is not None:
        for cell in view.__closure__ or ():
            if (
                isinstance(cell.cell_contents, list)
                and "GET" in cell.cell_contents
                and "POST" not in cell.cell_contents
            ):
                return False
        view = getattr(view, "__wrapped__", None)
    return True


def limits_of(name: str, pattern: URLPattern) -> tuple[Limit, ...]:
    callback: Any = pattern.callback
    if hasattr(callback, "admin_site") or hasattr(callback, "model_admin"):
        return (limits.STAFF_ACTION,)  # every one of them goes through AdminSite.admin_view
    if name in ACCOUNT_PAGES:
        return (ACCOUNT_PAGES[name].limit,)
    return tuple(getattr(callback, "limits", ()))


def unlimited() -> set[str]:
    return {name for name, _address, pattern in patterns() if takes_posts(pattern) and not limits_of(name, pattern)}


def test_every_page_that_changes_something_has_a_limit_or_a_reason() -> None:
    assert len(list(patterns())) > 100
    assert unlimited() - set(WITHOUT_LIMIT) == set(), (
        "decorate with @limited, or add to ACCOUNT_PAGES or WITHOUT_LIMIT"
    )
    assert all(len(reason) > 10 for reason in WITHOUT_LIMIT.values())


def test_nothing_is_listed_that_is_not_there() -> None:
    names = {name for name, *_ in patterns()}
    assert set(ACCOUNT_PAGES) - names == set()
    assert set(WITHOUT_LIMIT) - names == set()


def test_a_page_without_a_limit_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(ACCOUNT_PAGES, "account_email")
    assert "account_email" in unlimited()
    from portal.dashboard import views

    monkeypatch.delattr(views.sync_now, "limits")
    assert "sync_now" in unlimited()


@pytest.fixture
def nothing_left(set_rates: Callable[..., None]) -> None:
    """Every limit is reached from the start, but those of any form."""
    for limit in limits.ALL:
        if limit not in (limits.FORM, limits.ANONYMOUS_FORM):
            set_rates(limit, *(0 for _ in limit.rates))


@pytest.mark.django_db
def test_every_limit_that_a_tenants_page_declares_holds(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    sign_in: Callable[..., Any],
    aamu: Any,
    alice: Any,
) -> None:
    offer(monkeypatch, signing_provider())
    ids = settle(aamu, alice)
    client = sign_in(alice)
    request.getfixturevalue("nothing_left")
    # A write is shown before it is sent, and a form that is not valid is not counted.
    pressed = [address for address in ADDRESSES if address.method == "post"]
    assert len(pressed) > 20
    answers = {address.label: client.post(address.url("aamu", ids), address.data) for address in pressed}
    assert {label: answer.status_code for label, answer in answers.items() if answer.status_code != 429} == {}
    for label, answer in answers.items():
        assert "It is possible again" in answer.content.decode(), label
        assert int(answer.headers["Retry-After"]) > 0, label


@pytest.mark.django_db
@pytest.mark.usefixtures("nothing_left")
def test_every_limit_of_other_pages_holds(
    sign_in: Callable[..., Any], client: RoleClient, alice: Any, ada: Any
) -> None:
    own, staff, stranger = sign_in(alice), sign_in(ada), client
    addresses = {name: address for name, address, _ in patterns()}
    for name, page in ACCOUNT_PAGES.items():
        if page.limit not in (limits.FORM, limits.ANONYMOUS_FORM):
            who = stranger if name == "account_reset_password" else own
            answer = who.post(addresses[name], {"email": "new@aamu.example", "action_add": ""})
            assert answer.status_code == 429, name
    assert own.post("/you/", {"name": "A", "time_zone": "Europe/Oslo"}).status_code == 429
    assert stranger.post("/invitations/made-up/", {"name": "A"}).status_code == 429
    activation = {"requestId": "made-up", "tenant": "aamu"}
    assert own.post("/callback/procountor/activation/test/", activation).status_code == 429
    assert stranger.post("/account/login/", {"login": "a@b.example", "password": "wrong"}).status_code == 429
    assert staff.post("/admin/tenancy/tenant/add/", {"name": "X"}).status_code == 429


# -- nothing in the database or the broker can be a program -------------------------------------------------------------

PROGRAMS = {"pickle", "cPickle", "_pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "jsonpickle"}


def test_nothing_of_ours_reads_or_writes_pickles() -> None:
    found = [
        f"{path.relative_to(REPOSITORY)}:{node.lineno}"
        for room in ("portal", "connections")
        for path in sorted((REPOSITORY / room).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.Import) and {name.name.split(".")[0] for name in node.names} & PROGRAMS)
        or (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in PROGRAMS)
    ]
    assert found == []


def test_nothing_that_we_use_keeps_pickles() -> None:
    """Whoever may write a pickle that a process reads runs a program there."""
    assert {cache["BACKEND"] for cache in settings.CACHES.values()} == {"portal.rate_limits.cache.JSONTableCache"}
    assert settings.SESSION_SERIALIZER == "django.contrib.sessions.serializers.JSONSerializer"
    assert importlib.import_module(settings.SESSION_ENGINE).SessionStore().serializer is JSONSerializer
    # Messages: signed JSON in a cookie, or JSON in the session.
    assert settings.MESSAGE_STORAGE == "django.contrib.messages.storage.fallback.FallbackStorage"
    from portal.celery import app

    assert app.conf.task_serializer == app.conf.result_serializer == app.conf.event_serializer == "json"
    assert set(app.conf.accept_content) == {"json"}
    assert app.conf.result_backend is None
    keeping = [app for app in settings.INSTALLED_APPS if "picklefield" in app or "constance" in app]
    assert keeping == []


# -- every mail has a budget ---------------------------------------------------------------------------------------------

# Who makes mails, and what bounds them.
MAKES_MAIL = {
    "portal/members/services.py": "invitations, limited in `invite`",
    "portal/members/security_events.py": "warnings about a person's own sign-in, limited by SECURITY_MAIL",
    "portal/members/staff.py": "a new staff person, whom an admin adds",
    "portal/members/adapters.py": "allauth's, limited by ACCOUNT_MAIL and SECURITY_MAIL",
    "portal/notices/owners.py": "a tenant's owners, once for each move of a server or hold of reading, limited by SERVER_MOVE",
    "portal/notices/error_groups.py": "errors, to our own people, one for each kind and growing while",
    "portal/onboarding/consents.py": "whoever chose companies at the provider, limited by CONSENT_MAIL",
    "portal/onboarding/handoffs.py": "whoever a step was given to, limited by HANDOFF, and three reminders at most",
    "portal/operations/bootstrap.py": "the first admin's, once, by a command",
    "portal/operations/reports.py": "errors, to our own people",
}


def test_nobody_else_makes_mails() -> None:
    made = re.compile(
        r"EmailMessage\(|(?<!class )TrackedMail\(|EmailMultiAlternatives\(|\bsend_(?:mass_)?mail\(|mail_admins\("
    )
    found = {
        str(path.relative_to(REPOSITORY))
        for path in sorted((REPOSITORY / "portal").rglob("*.py"))
        if made.search(path.read_text())
    } | {
        str(path.relative_to(REPOSITORY))
        for path in sorted((REPOSITORY / "connections").rglob("*.py"))
        if made.search(path.read_text()) and "sandbox" not in path.parts
    }
    assert found == set(MAKES_MAIL)
