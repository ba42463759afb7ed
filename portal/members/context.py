"""What every template may ask: where it is and for whom."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from portal.members.models import Membership
from portal.members.permissions import Action


def place(request: HttpRequest) -> dict[str, Any]:
    return {
        "demo": settings.DEMO,
        "tenant": getattr(request, "tenant", None),
        "can": _permissions(getattr(request, "membership", None)),
    }


def _permissions(membership: Membership | None) -> dict[str, bool]:
    """For `{% if can.disconnect %}`: every action by its value, and none outside a tenant."""
    return {action.value: membership.can(action) for action in Action} if membership else {}
