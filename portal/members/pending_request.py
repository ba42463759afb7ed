"""A form that waits for its person to sign in, or to show that it is them: kept for minutes, then sent on as it was.

Only what has passed the checks of token and origin comes here. It is kept in the session of who sent it, sealed with the
web class and bound to its own number, and only whole: a form that may hold a secret is not kept at all. What a person was
asked to confirm is carried out by the same person's confirmation alone (`resume`); after a sign-in they are shown what it
was and send it themselves (views/resuming.py).
"""

from __future__ import annotations

import base64
import json
import time
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit
from uuid import UUID, uuid4

from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import Resolver404, resolve, reverse
from django.utils.datastructures import MultiValueDict
from django.utils.http import url_has_allowed_host_and_scheme

from connections.vault.keys import KeyUnavailable
from connections.vault.sealing import Place, Unopenable, seal_for_web, unseal_for_web
from connections.vault.secret import Secret
from portal.members import known_browser
from portal.members.models import User
from portal.rate_limits.middleware import typed_values

KEPT_SECONDS = 10 * 60
MOST = 3  # of one session, the latest: each tab may wait for a password
IN_SESSION = "members_pending_requests"


@dataclass(frozen=True)
class PendingRequest:
    """`person`: who sent it, where that is known; `browser`: else whoever has signed in with this browser before."""

    address: str
    page: str  # where its form stands
    name: str  # of its address
    typed: list[tuple[str, str]]
    person: int | None
    browser: list[str]
    by_confirmation: bool  # whether showing who one is carries it out

    def is_of(self, user: User) -> bool:
        if self.person is not None:
            return self.person == user.pk
        return known_browser.key_of(user) in self.browser


def suspend(request: HttpRequest, page: str, *, by_confirmation: bool = False) -> str:
    """Keep what was sent. The address to go on at, or "" where nothing is kept: a secret, a file, or far too much.

    `by_confirmation`: it is carried out as soon as the person has shown who they are. Only what has passed the check of
    its token is.
    """
    if request.method != "POST" or (by_confirmation and not getattr(request, "csrf_processing_done", False)):
        return ""
    typed, is_whole = typed_values(request)
    person = request.user.pk if request.user.is_authenticated else getattr(request, "signed_out_id", None)
    browser = known_browser.keys(request) if person is None else []
    if not is_whole or (person is None and not browser):
        return ""
    name = request.resolver_match.view_name if request.resolver_match else ""
    pending_request = PendingRequest(request.get_full_path(), page, name, typed, person, browser, by_confirmation)
    number = uuid4().hex
    try:
        sealed = seal_for_web(_place(number), Secret(json.dumps(asdict(pending_request))))
    except KeyUnavailable:
        return ""
    others = {key: each for key, each in _kept(request).items() if time.time() - each["at"] < KEPT_SECONDS}
    entry = {"at": time.time(), "page": page, "sealed": base64.b64encode(sealed).decode()}
    request.session[IN_SESSION] = dict([*others.items(), (number, entry)][-MOST:])
    return reverse("resume_request", args=[number])


def pending(request: HttpRequest, number: str) -> PendingRequest | None:
    """What this session keeps under that number for this person, unless it is too old."""
    entry = _kept(request).get(number)
    if entry is None or time.time() - entry["at"] >= KEPT_SECONDS:
        return None
    try:
        text = unseal_for_web(_place(number), base64.b64decode(entry["sealed"])).reveal()
    except (Unopenable, KeyUnavailable):
        return None
    values = json.loads(text)
    pending_request = PendingRequest(**{**values, "typed": [(name, value) for name, value in values["typed"]]})
    return pending_request if pending_request.is_of(request.user) else None  # type: ignore[arg-type]


def page_of(request: HttpRequest, number: str) -> str:
    """Where that form stood, also when what was typed is too old; else the start."""
    return str(_kept(request).get(number, {}).get("page") or "/")


def drop(request: HttpRequest, number: str) -> None:
    entries = _kept(request)
    if entries.pop(number, None) is not None:
        request.session[IN_SESSION] = entries


def resume(request: HttpRequest, address: str) -> HttpResponse | None:
    """Carry out what the session keeps for that address, once, as the request at hand; None where it keeps nothing.

    For a request by which the same person has just shown that it is them, with a token and an origin of its own.
    """
    try:
        match = resolve(urlsplit(address).path)
    except Resolver404:
        return None
    if match.view_name != "resume_request":
        return None
    number = match.kwargs["number"]
    pending_request = pending(request, number)
    drop(request, number)
    if pending_request is None or not pending_request.by_confirmation:
        return None
    parts = urlsplit(pending_request.address)
    request.method, request.path, request.path_info = "POST", parts.path, parts.path
    request.META.update(
        PATH_INFO=parts.path, QUERY_STRING=parts.query, HTTP_REFERER=request.build_absolute_uri(pending_request.page)
    )
    request.GET = QueryDict(parts.query)
    request.POST = QueryDict(urlencode(pending_request.typed))
    request._files = MultiValueDict()  # type: ignore[attr-defined]
    request.resolver_match = resolve(parts.path)
    response: HttpResponse = request.resolver_match.func(
        request, *request.resolver_match.args, **request.resolver_match.kwargs
    )
    return response


def page_of_the_form(request: HttpRequest, within: str = "/") -> str:
    """Where a form was sent from, as far as the browser says; else `within`. Buttons have addresses that show nothing."""
    came_from = urlsplit(request.headers.get("Referer", ""))
    page = came_from.path + (f"?{came_from.query}" if came_from.query else "")
    is_ours = came_from.netloc == request.get_host() and url_has_allowed_host_and_scheme(page, allowed_hosts=None)
    return page if is_ours and page.startswith(within) else within


def came_from_our_page(request: HttpRequest) -> bool:
    """Whether the browser itself says that one of our pages sent this, whatever became of its token."""
    return request.headers.get("Sec-Fetch-Site") == "same-origin" or request.headers.get("Origin") == (
        f"{request.scheme}://{request.get_host()}"
    )


def _kept(request: HttpRequest) -> dict[str, dict[str, Any]]:
    return dict(request.session.get(IN_SESSION, {}))


def _place(number: str) -> Place:
    return Place("django_session", UUID(number), "pending request")
