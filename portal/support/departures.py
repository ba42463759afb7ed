"""Departures and hand-offs for staff, read only: which connections were left, and which steps were given to whom."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import F, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from connections.transport.models import DeathProof, Departure, RequestLogEntry
from connections.vault.models import Connection
from portal.members.statuses import status_of
from portal.onboarding.models import Handoff
from portal.support.filters import Choices, ProviderFilter, TenantFilter
from portal.support.formatting import NOTHING, badge, fault_words, link, place, text, when, with_more, yes_or_no
from portal.support.list_search import search_departures
from portal.support.read_only_admin import LookOnly

# The staff's role has no right on what a link is recognised by.
HANDOFF_COLUMNS = (
    "id",
    "email",
    "given_by",
    "given_at",
    "expires_at",
    "opened_at",
    "done_at",
    "ended_at",
    "end_reason",
    "reminders",
)


class ProofFilter(Choices):
    title = _("proof")
    parameter_name = column = "proof"
    options = (("waits", _("none yet")), *DeathProof.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Departure]) -> QuerySet[Departure]:
        return queryset.filter(proof="") if self.value() == "waits" else super().queryset(request, queryset)


class DepartureProviderFilter(ProviderFilter):
    column = "connection__provider"


class HandoffProviderFilter(ProviderFilter):
    column = "mark__onboarding__connection__provider"


class HandoffStateFilter(Choices):
    title = _("state")
    parameter_name = "state"
    options = (
        ("open", _("open")),
        ("done", _("done")),
        ("ended", _("ended before it was done")),
        ("over", _("not done in time")),
    )

    def queryset(self, request: HttpRequest, queryset: QuerySet[Handoff]) -> QuerySet[Handoff]:
        undone = Q(done_at=None, ended_at=None)
        states = {
            "open": undone & Q(expires_at__gt=timezone.now()),
            "done": Q(done_at__isnull=False),
            "ended": Q(done_at=None, ended_at__isnull=False),
            "over": undone & Q(expires_at__lte=timezone.now()),
        }
        return queryset.filter(states.get(self.value() or "", Q()))


@admin.register(Departure)
class DepartureAdmin(LookOnly):
    """Who left which connection, whether the access is proved to be dead, and what was destroyed."""

    paged_by = "-asked_at"
    list_display = ("when_asked", "whose", "connection_link", "asked_by", "state")
    list_filter = (ProofFilter, TenantFilter, DepartureProviderFilter)
    list_select_related = ("tenant", "connection")
    row_search = staticmethod(search_departures)
    search_fields = ("id",)  # shows the box; what it means stands below
    search_help_text = _("Departure or connection id, part of a tenant's name, company or client id.")
    fields = (
        "id",
        "tenant_link",
        "connection_link",
        "where",
        "when_asked",
        "asked_by",
        "state",
        "when_probed",
        "probe_outcome",
        "fault",
        "entry_link",
        "held",
        "when_ended_early",
        "end_asked_by",
        "when_destroyed",
        "keeps",
        "when_deleted",
        "deleted_records",
    )
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Departure]:
        return super().get_queryset(request).select_related("tenant", "connection")

    @admin.display(description=_("tenant"))
    def tenant_link(self, departure: Departure) -> SafeString:
        return link(departure.tenant, departure.tenant_id, departure.tenant.name)

    @admin.display(description=_("connection"))
    def connection_link(self, departure: Departure) -> SafeString:
        return link(departure.connection, departure.connection_id, departure.connection)

    @admin.display(description=_("where"))
    def where(self, departure: Departure) -> str:
        return place(departure.connection.provider, departure.connection.environment)

    @admin.display(description=_("tenant and provider"))
    def whose(self, departure: Departure) -> SafeString:
        return with_more(departure.tenant.name, self.where(departure))

    @admin.display(description=_("state"))
    def state(self, departure: Departure) -> SafeString | str:
        """The proof once there is one; before, what goes on."""
        if departure.proof:
            return badge(status_of(departure, "proof"))
        if departure.is_ending:
            return gettext("everything is being destroyed")
        return gettext("is being tried") if departure.is_probing else gettext("waits for its removal at the provider")

    @admin.display(description=_("last probe"))
    def probe_outcome(self, departure: Departure) -> SafeString | str:
        return badge(status_of(departure, "last_probe")) if departure.last_probe else NOTHING

    @admin.display(description=_("fault"))
    def fault(self, departure: Departure) -> str:
        return fault_words(departure.connection.provider, departure.probe_fault) or NOTHING

    @admin.display(description=_("request"))
    def entry_link(self, departure: Departure) -> SafeString | str:
        return link(RequestLogEntry, departure.entry_id, departure.entry_id) if departure.entry_id else NOTHING

    @admin.display(description=_("what was read is kept"))
    def keeps(self, departure: Departure) -> str:
        return yes_or_no(departure.keeps_records)

    @admin.display(description=_("disconnected at"))
    def when_asked(self, departure: Departure) -> SafeString | str:
        return when(departure.asked_at)

    @admin.display(description=_("last probed at"))
    def when_probed(self, departure: Departure) -> SafeString | str:
        return when(departure.probed_at)

    @admin.display(description=_("kept for the last probe until"))
    def held(self, departure: Departure) -> SafeString | str:
        return when(departure.held_until)

    @admin.display(description=_("ended early at"))
    def when_ended_early(self, departure: Departure) -> SafeString | str:
        return when(departure.end_asked_at)

    @admin.display(description=_("secrets destroyed at"))
    def when_destroyed(self, departure: Departure) -> SafeString | str:
        return when(departure.destroyed_at)

    @admin.display(description=_("records deleted at"))
    def when_deleted(self, departure: Departure) -> SafeString | str:
        return when(departure.deleted_at)


@admin.register(Handoff)
class HandoffAdmin(LookOnly):
    """Which step was given to whom and by whom, and how far it got. The link itself nobody can read."""

    paged_by = "-given_at"
    list_display = ("when_given", "whose", "connection_and_checkpoint", "from_and_to", "state")
    list_filter = (HandoffStateFilter, TenantFilter, HandoffProviderFilter)
    row_search = staticmethod(search_departures)
    search_fields = ("id",)  # shows the box; what it means stands below
    search_help_text = _("Hand-off or connection id, part of a tenant's name, company or client id.")
    fields = (
        "id",
        "tenant_link",
        "connection_and_checkpoint",
        "where",
        "given_by",
        "given_to",
        "state",
        "when_given",
        "when_over",
        "when_opened",
        "when_done",
        "when_ended",
        "reminders",
    )
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Handoff]:
        rows: QuerySet[Handoff] = super().get_queryset(request)
        rows = rows.select_related("tenant", "mark__onboarding__connection").only(*HANDOFF_COLUMNS, "tenant", "mark")
        return rows.annotate(connection_id=F("mark__onboarding__connection_id"))

    @staticmethod
    def _connection(handoff: Handoff) -> Connection:
        return handoff.mark.onboarding.connection

    @admin.display(description=_("tenant"))
    def tenant_link(self, handoff: Handoff) -> SafeString:
        return link(handoff.tenant, handoff.tenant_id, handoff.tenant.name)

    @admin.display(description=_("where"))
    def where(self, handoff: Handoff) -> str:
        connection = self._connection(handoff)
        return place(connection.provider, connection.environment)

    @admin.display(description=_("tenant and provider"))
    def whose(self, handoff: Handoff) -> SafeString:
        return with_more(handoff.tenant.name, self.where(handoff))

    @admin.display(description=_("connection and checkpoint"))
    def connection_and_checkpoint(self, handoff: Handoff) -> SafeString:
        connection = self._connection(handoff)
        return with_more(link(connection, connection.id, connection), handoff.mark.checkpoint)

    @admin.display(description=_("given by and to"))
    def from_and_to(self, handoff: Handoff) -> SafeString:
        return with_more(text(handoff.given_by), self.given_to(handoff))

    @admin.display(description=_("given to"))
    def given_to(self, handoff: Handoff) -> str:
        return text(handoff.email)

    @admin.display(description=_("state"))
    def state(self, handoff: Handoff) -> str:
        if handoff.done_at:
            return gettext("done")
        if handoff.ended_at:
            return handoff.get_end_reason_display()
        if handoff.is_over:
            return gettext("not done in time")
        return gettext("opened, not done yet") if handoff.opened_at else gettext("sent, not opened yet")

    @admin.display(description=_("given at"))
    def when_given(self, handoff: Handoff) -> SafeString | str:
        return when(handoff.given_at)

    @admin.display(description=_("valid until"))
    def when_over(self, handoff: Handoff) -> SafeString | str:
        return when(handoff.expires_at)

    @admin.display(description=_("opened at"))
    def when_opened(self, handoff: Handoff) -> SafeString | str:
        return when(handoff.opened_at)

    @admin.display(description=_("done at"))
    def when_done(self, handoff: Handoff) -> SafeString | str:
        return when(handoff.done_at)

    @admin.display(description=_("ended at"))
    def when_ended(self, handoff: Handoff) -> SafeString | str:
        return when(handoff.ended_at)
