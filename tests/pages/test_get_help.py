"""Get help: a mail to our staff that says which page it is about."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest

from portal.members import context

pytestmark = pytest.mark.django_db


def test_every_page_leads_to_our_staff_with_its_address_and_the_requests_id(
    aamu: Any, alice: Any, sign_in: Callable[..., Any], settings: Any
) -> None:
    settings.SUPPORT_MAIL = "help@portal.example"
    page = sign_in(alice).get("/t/aamu/", {"q": "what-was-typed"})
    link = re.search(r'<a href="([^"]+)" id="get-help"', page.content.decode())
    assert link
    address = urlsplit(unescape(link[1]))
    assert (address.scheme, address.path) == ("mailto", "help@portal.example")
    *_, place, request_id = parse_qs(address.query)["body"][0].split("\n")
    assert place.endswith("/t/aamu/"), "nothing that was typed"
    assert UUID(request_id)
    assert page.headers["X-Request-ID"].replace("-", "") == request_id.replace("-", "")


def test_no_address_that_lets_somebody_in_is_mailed(rf: Any, settings: Any) -> None:
    """Outside a tenant an address may hold a token; then the request's id has to do."""
    settings.SUPPORT_MAIL = "help@portal.example"
    link = context.place(rf.get("/invitations/a-token-of-somebodys/"))["help_link"]()
    assert "mailto:help@portal.example?" in link
    assert "a-token" not in link
    assert "invitations" not in link


def test_without_an_address_there_is_no_link(
    aamu: Any, alice: Any, sign_in: Callable[..., Any], settings: Any
) -> None:
    settings.SUPPORT_MAIL = ""
    assert "get-help" not in sign_in(alice).get("/t/aamu/").content.decode()
