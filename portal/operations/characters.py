"""Refuses, before anything is read with them, values that no column can hold: NUL, and halves of characters."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse, QueryDict
from django.http.request import UnreadablePostError

UNSTORABLE = re.compile("[\0\ud800-\udfff]")
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


class CharactersMiddleware:
    """Everything that comes as text - path, query, cookies, forms - in one place, so that no page has to.

    The answer is the page for requests that cannot be read, and nothing of the value is written anywhere.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # Sessions are looked up by a cookie, so cookies are judged before that.
        _refuse([request.path_info, *request.COOKIES.values(), *_texts(request.GET)])
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> None:
        if request.method != "GET" and request.content_type in FORMS:
            try:
                form = request.POST
            except UnreadablePostError:  # the browser went away; Django's own check of the form's token says so
                return
            _refuse(_texts(form))


def _texts(values: QueryDict) -> Iterator[str]:
    for name, each in values.lists():
        yield name
        yield from each


def _refuse(texts: Iterable[str]) -> None:
    if any(UNSTORABLE.search(text) for text in texts):
        message = "a value with a character that cannot be kept"
        raise BadRequest(message)
