"""What every template may ask: where it is and for whom."""

from __future__ import annotations

from functools import partial
from typing import Any
from urllib.parse import quote, urlencode

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import gettext as _

from connections.tenancy.trace import trace_id
from portal.members.models import Membership
from portal.members.permissions import Action


def place(request: HttpRequest) -> dict[str, Any]:
    return {
        "demo": settings.DEMO,
        "tenant": getattr(request, "tenant", None),
        "help_link": partial(_help_link, request) if settings.SUPPORT_MAIL else "",
        "can": _permissions(getattr(request, "membership", None)),
    }


def _help_link(request: HttpRequest) -> str:
    """A mail to our staff with what leads them to the page: the request's id, and the address of a tenant's page.

    The address of a tenant's page holds ids; elsewhere one may hold a token that lets somebody in.
    """
    lines = ["", "", _("Please leave these lines as they are, they lead us to your page:")]
    if getattr(request, "tenant", None) is not None:
        lines.append(f"{settings.ORIGIN}{request.path}")
    lines.append(trace_id())
    words = {"subject": _("Help with Pilotage"), "body": "\n".join(lines)}
    return f"mailto:{settings.SUPPORT_MAIL}?{urlencode(words, quote_via=quote)}"


def _permissions(membership: Membership | None) -> dict[str, bool]:
    """For `{% if can.disconnect %}`: every action by its value, and none outside a tenant."""
    return {action.value: membership.can(action) for action in Action} if membership else {}
