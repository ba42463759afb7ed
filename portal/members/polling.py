"""Pages that ask by themselves whether something has changed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def fingerprint_of(*parts: object) -> str:
    """Changes with the text of any part."""
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:16]


def render_if_changed(
    request: HttpRequest, template: str, context: Callable[[], dict[str, Any]], *, fingerprint: str
) -> HttpResponse:
    """The template, or 204 where the page shows this `fingerprint` already (its `seen`): htmx then leaves it alone and
    asks again. The context is built only where it is needed.
    """
    if request.GET.get("seen") == fingerprint:
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
    return render(request, template, context())
