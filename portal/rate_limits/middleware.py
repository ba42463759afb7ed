"""Counts every form that is sent, and answers in words where a limit is reached, with what was typed kept for sending again."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from portal.rate_limits import limits
from portal.rate_limits.pages import ACCOUNT_PAGES, SAFE_METHODS, spend_by
from portal.rate_limits.spending import RateLimited

SHOWN = "_rate_limited"
# Never written into a page again, whichever form they stood in.
SECRET_WORDS = ("password", "secret", "code", "token", "key", "csrf", "recovery")
MAX_REPEATED_CHARACTERS = 20_000  # characters of what was typed


class RateLimitMiddleware:
    """Innermost, so that the person, their time zone and their language are known. CSRF is checked before it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        refused: RateLimited | None = getattr(request, SHOWN, None)
        if refused is not None and response.status_code in (HTTPStatus.OK, HTTPStatus.TOO_MANY_REQUESTS):
            response.status_code = HTTPStatus.TOO_MANY_REQUESTS
            response.headers["Retry-After"] = str(refused.seconds_left)
        return response

    def process_view(
        self, request: HttpRequest, view: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        if request.method in SAFE_METHODS:
            return None
        page = ACCOUNT_PAGES.get(request.resolver_match.view_name) if request.resolver_match else None
        try:
            spend_by(request, limits.FORM if request.user.is_authenticated else limits.ANONYMOUS_FORM)
            if page is not None and page.limit not in (limits.FORM, limits.ANONYMOUS_FORM):
                spend_by(request, page.limit, recipient=request.POST.get(page.recipient, ""))
        except RateLimited as refused:
            # Whether a view takes secrets is known once it runs: of a page that holds an address alone it is known now.
            return answer(request, refused, may_repeat=page is not None and page.recipient != "")
        return None

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        return answer(request, exception) if isinstance(exception, RateLimited) else None


def limit_sentence(request: HttpRequest, refused: RateLimited) -> str:
    """The sentence for a form that is shown again: its page is then answered with 429."""
    setattr(request, SHOWN, refused)
    return refused.sentence


def answer(request: HttpRequest, refused: RateLimited, *, may_repeat: bool = True) -> HttpResponse:
    """A page of its own: what was sent can be sent again from it; secrets are typed anew."""
    sentence = limit_sentence(request, refused)
    typed, is_whole = typed_values(request) if may_repeat else ([], False)
    context = {"sentence": sentence, "typed": typed, "is_whole": is_whole, "address": request.get_full_path()}
    return render(request, "429.html", context, status=HTTPStatus.TOO_MANY_REQUESTS)


def typed_values(request: HttpRequest) -> tuple[list[tuple[str, str]], bool]:
    """What was typed, and whether that is all of it: a secret, a file, or too much is not repeated."""
    # A view that takes secrets says so to Django, and allauth's by the names of their fields.
    is_sensitive = getattr(request, "sensitive_post_parameters", None) is not None
    pairs = [(name, value) for name, values in request.POST.lists() for value in values]
    repeated = [
        (name, value)
        for name, value in pairs
        if not is_sensitive and not any(word in name.lower() for word in SECRET_WORDS)
    ]
    is_cut = any(name != "csrfmiddlewaretoken" for name, value in set(pairs) - set(repeated)) or bool(request.FILES)
    if sum(len(name) + len(value) for name, value in repeated) > MAX_REPEATED_CHARACTERS:
        return [], False
    return repeated, not is_cut
