"""Pages of the house itself."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form whose token is missing or old: say what to do, keep nothing of what was typed."""
    return render(request, "403_csrf.html", status=403)
