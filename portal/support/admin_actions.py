"""Buttons on staff pages: a POST by somebody who may change that kind of row, and the row it is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from connections.tenancy.scope import Actor
from portal.members.models import User

Row = TypeVar("Row", bound=Model)


class NotAPost(PermissionDenied):
    """Looking at a page changes nothing."""


def ask_first(
    request: HttpRequest, context: dict[str, Any], *, about: object, sentences: list[str], button: str, back: str
) -> HttpResponse | None:
    """The page that says what a press does, before it does it; None once it was pressed there. `context`: the site's, and
    a title.
    """
    if "sure" in request.POST:
        return None
    context = {**context, "about": about, "sentences": sentences, "button": button, "back": back}
    return TemplateResponse(request, "admin/ask_first.html", context)


@dataclass(frozen=True)
class ButtonPress(Generic[Row]):
    """The row a button is about, and who pressed it."""

    row: Row
    actor: Actor


def get_button_press(request: HttpRequest, model: type[Row], key: UUID, **lookup: Any) -> ButtonPress[Row]:
    """Admins only, by POST only. Raises PermissionDenied, Http404."""
    user = cast(User, request.user)
    meta = model._meta
    if not user.has_perm(f"{meta.app_label}.change_{meta.model_name}"):
        raise PermissionDenied
    if request.method != "POST":
        raise NotAPost
    row = model._default_manager.filter(pk=key, **lookup).first()
    if row is None:
        raise Http404
    return ButtonPress(row, user.actor)
