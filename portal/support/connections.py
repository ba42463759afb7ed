"""Connections for staff: how each one stands, what is stored of it (never the value), its checklist and latest runs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from django.contrib import admin, messages
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from connections.calls.services import undecided_calls
from connections.providers import registry
from connections.spec.provider import CustomerHosts
from connections.sync.models import SyncRun
from connections.transport.models import AuthorizationAttempt
from connections.vault.models import Connection, ConnectionState, Credential, Grant, NetworkExemption, Pin
from connections.vault.services import ActionRefused, exemptions_of
from portal.incidents.mails import address_of
from portal.members.models import User
from portal.members.statuses import status, status_of
from portal.onboarding.models import Onboarding
from portal.onboarding.progress import Progress, progress
from portal.support import schedules, services
from portal.support.acts_on_connections import broken_at, notes_of, offered
from portal.support.admin_actions import ButtonPress, get_button_press
from portal.support.combined_queries import fetch_together
from portal.support.filters import Choices, EnvironmentFilter, ProviderFilter, TenantFilter
from portal.support.formatting import NOTHING, badge, fault_words, link, place, text, when, with_more, yes_or_no
from portal.support.list_search import search_connections
from portal.support.read_only_admin import LookOnly
from portal.support.shape_changes import changed_cursors, shape_changes

LATEST_RUNS = 10
MOST_UNDECIDED = 100  # that are counted
MOST_PINS = MOST_CREDENTIALS = 100  # no provider asks for as many


class ConnectionStateFilter(Choices):
    title = _("state")
    parameter_name = column = "state"
    options = tuple(ConnectionState.choices)


@dataclass(frozen=True)
class StoredSecret:
    """One credential or grant as anybody may see it: its state, its last characters, when and by whom."""

    label: str
    state: str  # of "secret" in portal.members.statuses: stored, refused, missing, absent
    hint: str = ""
    changed_at: datetime | None = None
    changed_by: str = ""


@admin.register(Connection)
class ConnectionAdmin(LookOnly):
    """Read-only but for its switches. The staff's role has no right on any sealed column."""

    list_display = ("name_and_place", "tenant", "state_and_fault", "last_run", "when_opened")
    list_filter = (ConnectionStateFilter, TenantFilter, ProviderFilter, EnvironmentFilter)
    search_fields = ("id",)  # shows the box; what it means stands below
    search_help_text = _(
        "Connection id, company or client id, part of the company's or tenant's name, a fingerprint, a server."
    )
    paged_by = "-created_at"
    row_search = staticmethod(search_connections)
    fields = (
        "id",
        "tenant_link",
        "where",
        "auth_method",
        "state_badge",
        "fault_words",
        "broken_since",
        "departure",
        "exemptions",
        "company",
        "company_number",
        "when_read",
        "streams_left_out",
        "pause",
        "may_write",
        "when_opened",
    )
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Connection]:
        latest = SyncRun.objects.filter(tenant_id=OuterRef("tenant_id"), connection_id=OuterRef("id"))
        latest = latest.order_by("-queued_at")
        connections: QuerySet[Connection] = super().get_queryset(request).select_related("tenant", "schedule")
        return connections.annotate(run_state=Subquery(latest.values("state")[:1]))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        connection = self.get_object(request, object_id)
        context = dict(extra_context or {})
        if connection is not None:
            provider = registry.find(connection.provider)
            runs, credentials, grants, pins, attempts, slots, notes, waiting, cursors = fetch_together(
                SyncRun.objects.for_connection(connection).filter(tenant_id=connection.tenant_id)[:LATEST_RUNS],
                credentials_of(connection),
                grants_of(connection),
                Pin.objects.filter(tenant_id=connection.tenant_id, connection=connection).order_by("host")[:MOST_PINS],
                attempts_of(connection),
                schedules.latest_slots(connection),
                notes_of(connection),
                undecided_calls(connection)[: MOST_UNDECIDED + 1],
                changed_cursors(connection),
            )
            grant = grants[0] if grants else None
            context |= {
                "credentials": stored_secrets(connection, credentials),
                "grant": grant,
                "grant_state": grant_state(connection, grant),
                "progress": progress_of(connection),
                "undecided": min(len(waiting), MOST_UNDECIDED),
                "more_undecided": len(waiting) > MOST_UNDECIDED,
                "runs": runs,
                "assumptions": provider.assumptions if provider else (),
                "typed": typed(connection),
                "pins": pins,
                "attempts": attempts,
                "exemptions": exemptions_of(connection),
                "slots": slots,
                "shape_changes": shape_changes(connection, cursors),
                "notes": notes,
                "reconnect_link": address_of(connection, broken_at(connection)),
                "offered": offered(cast(User, request.user), connection),
                "may_pause": request.user.has_perm("vault.change_connection"),
                "may_change": takes_addresses(connection) and request.user.has_perm("vault.change_connection"),
            }
        return super().change_view(request, object_id, form_url, context)

    def get_urls(self) -> list[URLPattern]:
        plain, private = self.admin_site.admin_view(self.plain), self.admin_site.admin_view(self.allow_private)
        return [
            path("<uuid:key>/plain-http/", plain, name="vault_connection_plain_http"),
            path("<uuid:key>/private-networks/", private, name="vault_connection_private_networks"),
            path("<uuid:key>/pause/", self.admin_site.admin_view(schedules.pause), name="vault_connection_pause"),
            path("<uuid:key>/resume/", self.admin_site.admin_view(schedules.resume), name="vault_connection_resume"),
            *super().get_urls(),
        ]

    def plain(self, request: HttpRequest, key: UUID) -> HttpResponse:
        """An admin's leave for plain HTTP, given or taken back."""
        press: ButtonPress[Connection] = get_button_press(request, Connection, key)
        is_allowed = "allow" in request.POST
        reason = request.POST.get("reason", "")
        try:
            services.allow_plain_http(connection=press.row, is_allowed=is_allowed, reason=reason, actor=press.actor)
        except ActionRefused as refused:
            messages.error(request, str(refused))
        else:
            message = gettext("Plain HTTP is allowed now.") if is_allowed else gettext("Plain HTTP is off now.")
            messages.success(request, message)
        return redirect("admin:vault_connection_change", key)

    def allow_private(self, request: HttpRequest, key: UUID) -> HttpResponse:
        """An admin's leave for a customer's server inside a private network."""
        press: ButtonPress[Connection] = get_button_press(request, Connection, key)
        networks, reason = request.POST.get("networks", ""), request.POST.get("reason", "")
        try:
            allowed = services.allow_private_networks(
                connection=press.row, text=networks, reason=reason, actor=press.actor
            )
        except ActionRefused as refused:
            messages.error(request, str(refused))
        else:
            message = gettext("Allowed now: %(networks)s.") % {"networks": ", ".join(allowed)}
            messages.success(request, message if allowed else gettext("No private network is allowed now."))
        return redirect("admin:vault_connection_change", key)

    @admin.display(description=_("connection"))
    def name_and_place(self, connection: Connection) -> SafeString:
        return with_more(text(str(connection)), self.where(connection))

    @admin.display(description=_("state and fault"))
    def state_and_fault(self, connection: Connection) -> SafeString:
        return with_more(self.state_badge(connection), self.fault_words(connection))

    @admin.display(description=_("tenant"))
    def tenant_link(self, connection: Connection) -> SafeString:
        return link(connection.tenant, connection.tenant_id, connection.tenant.name)

    @admin.display(description=_("where"))
    def where(self, connection: Connection) -> str:
        return place(connection.provider, connection.environment)

    @admin.display(description=_("state"))
    def state_badge(self, connection: Connection) -> SafeString:
        return badge(status_of(connection))

    @admin.display(description=_("fault"))
    def fault_words(self, connection: Connection) -> str:
        return fault_words(connection.provider, connection.fault) or NOTHING

    @admin.display(description=_("broken since"))
    def broken_since(self, connection: Connection) -> SafeString | str:
        return when(connection.fault_at)

    @admin.display(description=_("access at the provider"))
    def departure(self, connection: Connection) -> SafeString | str:
        return (
            format_html("{} {}", connection.get_leaving_display(), when(connection.left_at))
            if connection.leaving
            else NOTHING
        )

    @admin.display(description=_("company"))
    def company(self, connection: Connection) -> str:
        return text(connection.company_name)

    @admin.display(description=_("allowed beyond the ordinary"))
    def exemptions(self, connection: Connection) -> SafeString | str:
        """What stands, since when, who allowed it and why."""
        rows = NetworkExemption.objects.for_connection(connection).in_force().filter(tenant_id=connection.tenant_id)
        lines = [
            (
                row.get_kind_display(),
                text(", ".join(row.networks)),
                when(row.granted_at),
                row.actor_name,
                row.reason,
            )
            for row in rows
        ]
        return format_html_join("", "<div>{} {} {} {}: {}</div>", lines) or NOTHING

    @admin.display(description=_("company id"))
    def company_number(self, connection: Connection) -> str:
        return text(connection.company_id)

    @admin.display(description=_("is read"))
    def when_read(self, connection: Connection) -> str:
        return schedules.words(connection)

    @admin.display(description=_("streams that are not read"))
    def streams_left_out(self, connection: Connection) -> str:
        return schedules.streams_left_out(connection)

    @admin.display(description=_("paused"))
    def pause(self, connection: Connection) -> SafeString | str:
        return schedules.pause_words(connection)

    @admin.display(description=_("may write"))
    def may_write(self, connection: Connection) -> str:
        return yes_or_no(connection.allows_writes)

    @admin.display(description=_("opened"))
    def when_opened(self, connection: Connection) -> SafeString | str:
        return when(connection.created_at)

    @admin.display(description=_("last run"))
    def last_run(self, connection: Any) -> SafeString | str:
        return badge(status("sync.SyncRun.state", connection.run_state)) if connection.run_state else NOTHING


def credentials_of(connection: Connection) -> QuerySet[Credential]:
    """What is stored, of the columns staff may read."""
    mine = Credential.objects.filter(tenant_id=connection.tenant_id, connection=connection)
    return mine.only("id", "name", "hint", "changed_at", "changed_by")[:MOST_CREDENTIALS]


def stored_secrets(connection: Connection, credentials: Iterable[Credential]) -> list[StoredSecret]:
    """Everything the provider asks for, and whatever else is stored."""
    rows = {row.name: row for row in credentials}
    provider = registry.find(connection.provider)
    labels = {field.name: str(field.label) for field in provider.credentials if field.secret} if provider else {}
    needed, refused = needed_by(connection), refused_at(connection)
    return [
        StoredSecret(
            labels.get(name, name),
            "refused" if name in refused else "stored",
            rows[name].hint,
            rows[name].changed_at,
            rows[name].changed_by,
        )
        if name in rows
        else StoredSecret(labels[name], "missing" if name in needed else "absent")
        for name in [*labels, *(name for name in rows if name not in labels)]
    ]


def needed_by(connection: Connection) -> set[str]:
    """Names of the secrets without which a connection of this way cannot be used."""
    provider = registry.find(connection.provider)
    if provider is None or connection.is_disconnected:
        return set()
    fields_in_use = {name for checkpoint in provider.checkpoints(connection.auth_method) for name in checkpoint.fields}
    return {
        field.name
        for field in provider.credentials
        if field.secret and not field.optional and field.name in fields_in_use
    }


def refused_at(connection: Connection) -> set[str]:
    """Fields of the checkpoint that the fault reopens: what the provider does not take any more. '' is the grant."""
    provider = registry.find(connection.provider)
    fault = provider.faults.find(connection.fault) if provider and connection.fault else None
    if provider is None or fault is None or not fault.checkpoint or connection.state != ConnectionState.BROKEN:
        return set()
    reopened = [
        each for each in provider.checkpoints(connection.auth_method) if each.slug == fault.checkpoint and each.opens
    ]
    return {name for each in reopened for name in each.fields} or ({""} if reopened else set())


def grant_state(connection: Connection, grant: Grant | None) -> str:
    if grant is None or grant.issued_at is None:
        return "absent"
    return "refused" if "" in refused_at(connection) else "stored"


def typed(connection: Connection) -> list[tuple[str, str]]:
    """What the customer typed that is no secret, each with its label."""
    provider = registry.find(connection.provider)
    labels = {field.name: str(field.label) for field in provider.credentials} if provider else {}
    return [(labels.get(name, name), str(value)) for name, value in connection.settings.items()]


def attempts_of(connection: Connection) -> QuerySet[AuthorizationAttempt]:
    """The latest logins at the provider, of the columns staff may read."""
    mine = AuthorizationAttempt.objects.filter(tenant_id=connection.tenant_id, connection=connection)
    return mine.only("id", "login", "actor_name", "state", "started_at", "ended_at", "reason_code", "entry_id")[
        :LATEST_RUNS
    ]


def takes_addresses(connection: Connection) -> bool:
    """Whether the customer types in where the provider is, so that it could be an address without TLS."""
    provider = registry.find(connection.provider)
    return provider is not None and any(isinstance(hosts, CustomerHosts) for hosts in provider.hosts.values())


def grants_of(connection: Connection) -> QuerySet[Grant]:
    """When it was given, until when it holds, how often it was renewed; of the columns staff may read. One at most."""
    mine = Grant.objects.filter(tenant_id=connection.tenant_id, connection=connection)
    return mine.only("id", "issued_at", "expires_at", "generation", "scope")[:1]


def progress_of(connection: Connection) -> Progress | None:
    onboarding = (
        Onboarding.objects.select_related("connection")
        .filter(tenant_id=connection.tenant_id, connection=connection)
        .first()
    )
    provider = registry.find(connection.provider)
    return progress(onboarding, provider) if onboarding and provider else None
