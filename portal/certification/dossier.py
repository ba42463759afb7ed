"""What a provider's support desk needs about one request, from its entry of the log: the same bytes from the same rows.

It holds ids, names of operations and times, of one connection; no body, and nothing that opens anything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timezone
from urllib.parse import urlsplit
from uuid import UUID

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from connections.providers import registry
from connections.spec.dossiers import Dossier, Fact
from connections.transport.log.redaction import redact
from connections.transport.models import RequestLogEntry
from connections.vault.models import ClientRegistration, Connection, Grant
from portal.onboarding.models import Evidence

NOT_KEPT = "not kept: the request log holds no bodies"
UNKNOWN = "not known"


@dataclass(frozen=True)
class DossierLine:
    """One line; `is_left_out` where there is a reason in the place of a value."""

    label: str
    value: str
    is_left_out: bool


def dossier_lines(dossier: Dossier, entry: RequestLogEntry) -> list[DossierLine]:
    """In the desk's order, and our own id last. Four statements. In the staff's scope."""
    connection = Connection.objects.filter(id=entry.connection_id).first() if entry.connection_id else None
    facts = _facts(entry, connection)
    lines = []
    for each in dossier.fields:
        value = redact(facts[each.fact]())
        is_body = each.fact in (Fact.REQUEST_BODY, Fact.RESPONSE_BODY)
        lines.append(DossierLine(each.label, value or UNKNOWN, is_body or not value))
    return [*lines, DossierLine("Our id of the request", str(entry.id), is_left_out=False)]


def _facts(entry: RequestLogEntry, connection: Connection | None) -> dict[Fact, Callable[[], str]]:
    """Functions, so that nothing is looked up that a desk does not ask for."""
    typed = connection.settings if connection else {}
    return {
        Fact.CLIENT_ID: lambda: str(typed.get("client_id") or _registered_client_id(entry)),
        Fact.ENDPOINT: lambda: f"{entry.method} {entry.path_template}",
        Fact.REQUEST_BODY: lambda: NOT_KEPT,
        Fact.RESPONSE_BODY: lambda: NOT_KEPT,
        Fact.SERVER: lambda: _server(entry, connection),
        Fact.API_VERSION: lambda: entry.api_version,
        Fact.TIME: lambda: entry.at.astimezone(timezone.utc).isoformat(timespec="milliseconds"),
        Fact.COMPANY_ID: lambda: connection.company_id if connection else "",
        Fact.USER_ID: lambda: _user_id(connection),
        Fact.REQUEST_ID: lambda: entry.provider_request_id,
        Fact.STATUS: lambda: f"{entry.status} ({entry.outcome})" if entry.status else str(entry.outcome),
        Fact.SCOPE: lambda: str(typed.get("scope") or _granted_scope(connection)),
        Fact.REPETITIONS: lambda: str(entry.attempt),
    }


def _registered_client_id(entry: RequestLogEntry) -> str:
    own = ClientRegistration.objects.filter(provider=entry.provider, environment=entry.environment)
    return own.values_list("client_id", flat=True).first() or ""


def _granted_scope(connection: Connection | None) -> str:
    if connection is None:
        return ""
    return Grant.objects.filter(connection_id=connection.id).values_list("scope", flat=True).first() or ""


def _user_id(connection: Connection | None) -> str:
    """As the provider last told it to a check of ours."""
    if connection is None:
        return ""
    evidence = Evidence.objects.filter(
        tenant_id=connection.tenant_id, mark__onboarding__connection_id=connection.id, values__has_key="user_id"
    )
    values = evidence.order_by("-at", "-id").values_list("values", flat=True).first()
    return str(values["user_id"]) if values else ""


def _server(entry: RequestLogEntry, connection: Connection | None) -> str:
    provider = registry.find(entry.provider)
    if provider is None:
        return entry.environment
    try:
        hosts = registry.hosts_of(provider, entry.environment, connection.settings if connection else {})
    except (LookupError, ValueError):
        return entry.environment
    return f"{entry.environment}, {urlsplit(hosts.api).netloc}"


def dossier_text(dossier: Dossier, entry: RequestLogEntry) -> str:
    """To paste into a mail or a ticket."""
    lines = [f"{each.label}: {each.value}" for each in dossier_lines(dossier, entry)]
    return "\n".join(lines) + "\n"


def _open(entry_id: UUID) -> tuple[Dossier, RequestLogEntry]:
    entry = RequestLogEntry.objects.find(entry_id)
    provider = registry.find(entry.provider) if entry else None
    if entry is None or provider is None or provider.dossier is None:
        raise Http404
    return provider.dossier, entry


def show_dossier(request: HttpRequest, entry_id: UUID) -> HttpResponse:
    """The preview, with what is left out and why. Raises Http404."""
    dossier, entry = _open(entry_id)
    context = {
        **admin.site.each_context(request),
        "title": _("Dossier"),
        "entry": entry,
        "dossier": dossier,
        "lines": dossier_lines(dossier, entry),
        "text": dossier_text(dossier, entry),
    }
    return TemplateResponse(request, "admin/dossier.html", context)


def download_dossier(request: HttpRequest, entry_id: UUID) -> HttpResponse:
    """The same as a file of text. Raises Http404."""
    dossier, entry = _open(entry_id)
    response = HttpResponse(dossier_text(dossier, entry).encode(), content_type="text/plain; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="dossier-{entry.id}.txt"'
    return response
