"""What every template may ask: where it is and for whom."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest


def place(request: HttpRequest) -> dict[str, Any]:
    return {
        "demo": settings.DEMO,
        "tenant": getattr(request, "tenant", None),
        "membership": getattr(request, "membership", None),
    }
