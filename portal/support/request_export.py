"""The request log as a file: what a list's filters leave, as CSV or JSON Lines, read part by part while it is sent."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, cast

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from connections.tenancy import audit
from connections.tenancy.scope import staff_scope
from connections.transport.models import RequestLogEntry
from portal.members.permissions import StaffAction
from portal.support.action_views import person_allowed
from portal.support.request_log_list import view_names

AT_ONCE = 2000  # entries of one statement
LONGEST_FILTERS = 2000  # characters of them, as the audit trail keeps them
MOST_ENTRIES = 200_000  # of one file; who needs more narrows the time and takes several
COLUMNS = [field.attname for field in RequestLogEntry._meta.concrete_fields]
ID, AT = COLUMNS.index("id"), COLUMNS.index("at")
STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r")
LIST = "admin:transport_requestlogentry_changelist"

Row = tuple[Any, ...]


def export_requests(request: HttpRequest) -> HttpResponse:
    """A file of what the filters of an address leave, the newest first. Raises PermissionDenied, NotAPost, Http404."""
    user = person_allowed(request, StaffAction.EXPORT_LOG)
    write = FORMATS.get(request.POST.get("format", ""))
    if write is None:
        raise Http404
    chosen = QueryDict(request.POST.get("query", ""), mutable=True)
    for name in set(chosen) - view_names():
        del chosen[name]
    rows = _narrowed(request, chosen)
    if rows is None:
        messages.error(request, _("These filters cannot be read. Open the list with them, and export it there."))
        return redirect(reverse(LIST))
    kind = request.POST["format"]
    filters = chosen.urlencode()[:LONGEST_FILTERS]
    audit.record_system(
        actor=user.actor, action="staff.log_exported", subject=kind, filters=filters, most=MOST_ENTRIES
    )
    response = StreamingHttpResponse(write(_parts(rows)), content_type=f"{TYPES[kind]}; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="requests.{kind}"'
    response["Cache-Control"] = "no-store"
    return cast(HttpResponse, response)  # Django's types know the two as strangers


def _narrowed(request: HttpRequest, query: QueryDict) -> QuerySet[RequestLogEntry] | None:
    """What the list of the same address shows; None for filters that are none."""
    pages = admin.site.get_model_admin(RequestLogEntry)
    before, request.GET = request.GET, cast(Any, query)
    try:
        changelist = cast(Any, pages).get_changelist_instance(request)
    except admin.options.IncorrectLookupParameters:
        return None
    finally:
        request.GET = before
    return cast("QuerySet[RequestLogEntry]", changelist.queryset)


def _parts(rows: QuerySet[RequestLogEntry]) -> Iterator[list[Row]]:
    """Each in a scope of its own: none stays open while somebody downloads slowly."""
    position: tuple[datetime, Any] | None = None
    written = 0
    ordered = rows.prefetch_related(None).order_by("-at", "-id").values_list(*COLUMNS)
    while written < MOST_ENTRIES:
        after = ordered
        if position is not None:
            at, key = position
            after = ordered.filter(Q(at__lte=at) & (Q(at__lt=at) | Q(id__lt=key)))
        with staff_scope():
            part = list(after[: min(AT_ONCE, MOST_ENTRIES - written)])
        if part:
            yield part
        if len(part) < AT_ONCE:
            return
        written += len(part)
        position = (part[-1][AT], part[-1][ID])


def _csv(parts: Iterator[list[Row]]) -> Iterator[str]:
    yield _lines([COLUMNS])
    for part in parts:
        yield _lines([tuple(map(_cell, row)) for row in part])


def _lines(rows: list[Any]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def _cell(value: Any) -> str:
    """A spreadsheet calculates what begins like a formula, whoever wrote it."""
    text = _plain(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(STARTS_A_FORMULA) else text


def _plain(value: Any) -> str:
    if value is None:
        return ""
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _json_lines(parts: Iterator[list[Row]]) -> Iterator[str]:
    for part in parts:
        yield "".join(
            json.dumps(
                {
                    name: value if value is None or isinstance(value, int) else _plain(value)
                    for name, value in zip(COLUMNS, row, strict=True)
                },
                ensure_ascii=False,
            )
            + "\n"
            for row in part
        )


FORMATS: dict[str, Callable[[Iterator[list[Row]]], Iterator[str]]] = {"csv": _csv, "jsonl": _json_lines}
TYPES = {"csv": "text/csv", "jsonl": "application/x-ndjson"}
