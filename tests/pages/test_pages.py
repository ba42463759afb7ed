"""Every page renders whole, under the policy, without writing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests.conftest import joined, person
from tests.pages.crowd import ADDRESSES, settle

pytestmark = pytest.mark.usefixtures("every_button")

POLICY = ("default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'")
SIGNED_OUT = ["account_login", "account_reset_password", "account_reset_password_done", "account_signup"]
OWN_PAGES = [
    "tenants",
    "you",
    "account_change_password",
    "account_email",
    "account_logout",
    "account_reauthenticate",
    "mfa_index",
    "usersessions_list",
]


class Outline(HTMLParser):
    """What a test asks a page about: headings, landmarks, ids, and anything inline."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.inline: list[str] = []
        self.language = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        if given.get("id"):
            self.ids.append(given["id"] or "")
        if tag == "html":
            self.language = given.get("lang") or ""
        is_code = tag == "script" and "src" not in given and given.get("type") != "application/json"
        if is_code or tag == "style" or "style" in given or any(name.startswith(("on", "hx-on")) for name in given):
            self.inline.append(f"{tag} {attrs}")


def assert_whole(answer: Any) -> None:
    outline = Outline(answer.content.decode())
    assert outline.language == "en"
    assert outline.tags.count("h1") == 1
    assert outline.tags.count("main") == 1
    assert outline.inline == []
    assert len(outline.ids) == len(set(outline.ids)), sorted(outline.ids)
    for part in POLICY:
        assert part in answer.headers["Content-Security-Policy"]
    assert "unsafe" not in answer.headers["Content-Security-Policy"]


@pytest.fixture
def ids(aamu: Any, alice: Any) -> dict[str, Any]:
    joined(person("olga@aamu.example"), aamu, "owner")  # so that another owner may go
    return settle(aamu, alice)


@pytest.fixture
def looks(sign_in: Callable[..., Any], ids: dict[str, Any], alice: Any) -> Iterator[tuple[str, str, Any]]:
    """(name, address, client) of every page of the tenant."""
    client = sign_in(alice)
    return ((a.name, a.url("aamu", ids), client) for a in ADDRESSES if a.method == "get")


@pytest.mark.parametrize("name", SIGNED_OUT)
def test_pages_before_the_sign_in_are_whole(name: str, client: Any, db: None) -> None:
    assert_whole(client.get(reverse(name)))


@pytest.mark.parametrize("name", OWN_PAGES)
def test_ones_own_pages_are_whole(name: str, sign_in: Callable[..., Any], alice: Any) -> None:
    assert_whole(sign_in(alice).get(reverse(name)))


def test_pages_of_a_tenant_are_whole(looks: Any) -> None:
    for name, address, client in looks:
        answer = client.get(address)
        if name.endswith("_poll"):
            assert answer.status_code == 200
            assert b"<html" not in answer.content
        else:
            assert_whole(answer)


@pytest.mark.parametrize("address", ["/t/nobody/", "/no/such/page", "/invitations/wrong/"])
def test_pages_that_say_no_are_whole(address: str, sign_in: Callable[..., Any], alice: Any) -> None:
    answer = sign_in(alice).get(address)
    assert answer.status_code == 404
    assert_whole(answer)
    assert b"alice" not in answer.content.lower()


def test_a_broken_page_says_so_without_the_trace(
    sign_in: Callable[..., Any], alice: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from portal.dashboard import views

    def breaks(tenant: Any) -> None:
        message = "canary-in-the-trace"
        raise RuntimeError(message)

    monkeypatch.setattr(views, "home_page", breaks)
    client = sign_in(alice)
    client.raise_request_exception = False
    answer = client.get("/t/aamu/")
    assert answer.status_code == 500
    assert b"canary" not in answer.content
    assert b"Something broke on our side" in answer.content
    assert_whole(answer)


def test_a_form_without_its_token_is_refused_with_a_page(sign_in: Callable[..., Any], alice: Any) -> None:
    client = sign_in(alice)
    client.handler.enforce_csrf_checks = True
    answer = client.post("/t/aamu/connect/procountor/", {"environment": "test"})
    assert answer.status_code == 403
    assert_whole(answer)


def test_looking_writes_nothing(looks: Any) -> None:
    for name, address, client in looks:
        client.get("/t/aamu/")  # the first page of a session writes it down in the list of sessions
        with CaptureQueriesContext(database) as seen:
            client.get(address)
        written = [
            query["sql"] for query in seen.captured_queries if re.match(r"(INSERT|UPDATE|DELETE)", query["sql"])
        ]
        assert written == [], name


@pytest.mark.parametrize(
    "target",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "http:///evil.example"],
)
def test_no_sign_in_leads_off_the_site(target: str, client: Any, alice: Any) -> None:
    answer = client.post(
        f"{reverse('account_login')}?next={target}",
        {"login": "alice@aamu.example", "password": "correct horse battery staple", "next": target},
    )
    assert answer.status_code == 302
    assert answer.headers["Location"] == "/"


def test_the_front_door_leads_home(sign_in: Callable[..., Any], alice: Any, client: Any) -> None:
    assert sign_in(alice).get("/").headers["Location"] == "/t/aamu/"
    assert client.get("/").headers["Location"] == "/account/login/?next=/"


def test_who_belongs_to_two_companies_chooses(sign_in: Callable[..., Any], alice: Any, kaste: Any) -> None:
    from tests.conftest import joined

    joined(alice, kaste, "viewer")
    client = sign_in(alice)
    assert client.get("/").headers["Location"] == "/companies/"
    page = client.get("/companies/").content.decode()
    assert "Aamu Oy" in page
    assert "Kaste Oy" in page


def test_times_are_in_the_readers_zone_with_utc_beside(
    sign_in: Callable[..., Any], alice: Any, ids: dict[str, Any]
) -> None:
    from datetime import datetime, timezone

    from connections.sync.models import SyncRun
    from portal.members.models import User

    SyncRun.objects.filter(id=ids["run"]).update(queued_at=datetime(2026, 7, 1, 21, 30, tzinfo=timezone.utc))
    User.objects.filter(pk=alice.pk).update(time_zone="Asia/Tehran")
    page = sign_in(alice).get(reverse("run", args=["aamu", ids["connection"], ids["run"]])).content.decode()
    assert (
        '<time datetime="2026-07-01T21:30:00+00:00" title="2 Jul 2026, 01:00:00 UTC+03:30 = 2026-07-01 21:30:00 UTC"'
        ' dir="auto">2 Jul 2026, 01:00</time>'
    ) in page
    assert "Times are those of <bdi>Asia/Tehran (UTC+03:30)</bdi>" in page


def test_staff_enter_their_own_pages(sign_in: Callable[..., Any], dana: Any, settings: Any) -> None:
    assert sign_in(dana).get("/").headers["Location"] == reverse("admin:index")
    settings.DEMO = False  # outside a demo the session must have used a second factor
    client = sign_in(dana)
    assert client.get("/").headers["Location"] == reverse("admin:index")
    assert b"Ask another admin for a link" in client.get("/admin/").content
    page = client.get("/companies/")
    assert_whole(page)
    assert b"used a second factor" in page.content
