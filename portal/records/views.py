"""The records of one stream, one record, and its JSON: for whoever may read them in the tenant, and for nobody else."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from connections.spec.provider import Provider
from connections.spec.streams import Stream
from connections.sync.models import Record
from connections.vault.models import Connection
from portal.members.access import MemberRequest, member
from portal.members.permissions import Action
from portal.members.shortcuts import get_own_or_404
from portal.onboarding.marks import provider_of
from portal.records.forms import LONGEST_ID
from portal.records.listing import record_list
from portal.records.record_page import LONGEST_BODY, pretty, record_page, with_text


@require_GET
@never_cache
@member(Action.READ_RECORDS)
def records(request: MemberRequest, connection_id: UUID, stream: str) -> HttpResponse:
    """The list; what is looked for, which records are shown and where the page begins stand in the address."""
    connection, provider, declared = _stream(request, connection_id, stream)
    detail = record_list(
        connection,
        provider,
        declared,
        request.GET,
        after=request.GET.get("after", ""),
        before=request.GET.get("before", ""),
    )
    context = _context(connection, provider, declared) | {"detail": detail}
    return render(request, "records/records.html", context)


@require_GET
@never_cache
@member(Action.READ_RECORDS)
def record(request: MemberRequest, connection_id: UUID, stream: str) -> HttpResponse:
    """One record, by its `id`; `changes` is the position after which older changes are shown."""
    connection, provider, declared = _stream(request, connection_id, stream)
    row = _record(request, connection, declared)
    context = {"detail": record_page(row, provider, declared, request.GET.get("changes", "")), "record": row}
    return render(request, "records/record.html", _context(connection, provider, declared) | context)


@require_GET
@never_cache
@member(Action.READ_RECORDS)
def record_json(request: MemberRequest, connection_id: UUID, stream: str) -> HttpResponse:
    connection, provider, declared = _stream(request, connection_id, stream)
    row = _record(request, connection, declared)
    fetched: Any = row
    is_cut = len(fetched.text) > LONGEST_BODY
    context = {
        "record": row,
        "text": fetched.text[:LONGEST_BODY] if is_cut else pretty(fetched.text),
        "is_cut": is_cut,
        "most": LONGEST_BODY,
    }
    return render(request, "records/record_json.html", _context(connection, provider, declared) | context)


def _context(connection: Connection, provider: Provider, stream: Stream) -> dict[str, Any]:
    return {"connection": connection, "provider": provider, "stream": stream}


def _stream(request: MemberRequest, connection_id: UUID, name: str) -> tuple[Connection, Provider, Stream]:
    """Raises Http404 for a stream that the provider does not have."""
    connection = get_own_or_404(request, Connection, id=connection_id)
    provider = provider_of(connection)
    stream = next((each for each in provider.streams if each.name == name), None)
    if stream is None:
        raise Http404
    return connection, provider, stream


def _record(request: MemberRequest, connection: Connection, stream: Stream) -> Record:
    """Raises Http404 for an id that the stream does not have, as for one that no record can have."""
    external_id = request.GET.get("id", "")
    if not 0 < len(external_id) <= LONGEST_ID:
        raise Http404
    rows = with_text(Record.objects.for_connection(connection).filter(stream=stream.name))
    return get_own_or_404(request, rows, external_id=external_id)
