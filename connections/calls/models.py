"""One call that somebody asked for: the intent, written before anything is sent, and the outcome."""

from __future__ import annotations

import orjson
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from connections.spec import json_numbers
from connections.spec.operations import Arguments
from connections.tenancy.models import TenantOwned
from connections.tenancy.row_security import RowSecurity, SameTenant
from connections.vault.models import Connection
from connections.vault.querysets import ConnectionOwnedQuerySet

# What staff may see of a call: neither what is sent with it nor what came back.
METADATA = (
    "id, tenant_id, connection_id, operation, is_write, reason, instead_of_id, asked_by, actor_id, state, why, status,"
    " fault, entry_id, provider_request_id, looks, found_by_look_up, next_at, asked_at, sent_at, ended_at, settled_by"
)


class CallState(models.TextChoices):
    QUEUED = "queued", _("queued")  # nothing has left yet, or surely nothing arrived
    SENT = "sent", _("sent")  # a write may have left; committed right before it does
    ANSWERED = "answered", _("answered")
    REFUSED = "refused", _("refused")
    WAITING = "waiting", _("waiting to be confirmed")  # at the provider, by a person with a second factor
    UNKNOWN = "unknown", _("outcome unknown")
    SETTLED_DONE = "settled-done", _("settled: it was done")
    SETTLED_NOT_DONE = "settled-not-done", _("settled: it was not done")
    FAILED = "failed", _("not sent")


IN_PROGRESS = (CallState.QUEUED, CallState.SENT, CallState.WAITING)


class Reason(models.TextChoices):
    HAND = "hand", _("by hand")
    AGAIN = "again", _("again, after one that was not done")


class Why(models.TextChoices):
    """Why an outcome stays unknown. The value is stored; pages have a sentence for each."""

    NOT_OFFERED = "not-offered", _("it cannot be looked up")
    NOT_FOUND = "not-found", _("looked for and not found")
    NOT_HEARD = "not-heard", _("could not be looked up")
    TWIN = "twin", _("an identical one was done before")
    NO_NEWS = "no-news", _("its confirmation cannot be followed")


class Call(TenantOwned):
    """One call of an operation on a connection.

    `arguments` is {"path": {}, "query": {}, "headers": {}} of texts, and that and `body` are JSON as text: it leaves in
    the order in which it was shown, which the database's own JSON would not keep.

    `next_at`: when a worker goes on with it by itself. An unknown outcome without it waits for a person.
    `answer` is JSON as text, cut at a cap; it and `troubles` ([path, text] of a refusal) are cleared after a day
    (services.clear_answers).
    """

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, db_constraint=False, related_name="calls")
    operation = models.CharField(_("operation"), max_length=60)
    is_write = models.BooleanField(_("write"))
    arguments = models.TextField()
    body = models.TextField(blank=True)
    reason = models.CharField(_("asked"), max_length=10, choices=Reason.choices, default=Reason.HAND)
    instead_of = models.ForeignKey(
        "self", on_delete=models.CASCADE, db_constraint=False, null=True, related_name="successors"
    )
    asked_by = models.CharField(_("asked by"), max_length=254)
    actor_id = models.BigIntegerField(_("actor id"), null=True)
    state = models.CharField(_("state"), max_length=20, choices=CallState.choices, default=CallState.QUEUED)
    why = models.CharField(_("why unknown"), max_length=20, choices=Why.choices, blank=True)
    status = models.PositiveSmallIntegerField(_("status"), null=True)
    answer = models.TextField(blank=True)
    is_cut = models.BooleanField(default=False)
    troubles = models.JSONField(default=list)
    fault = models.CharField(_("fault"), max_length=60, blank=True)
    entry_id = models.UUIDField(_("entry id"), null=True)
    provider_request_id = models.CharField(_("provider request id"), max_length=140, blank=True)
    follow_up = models.CharField(max_length=200, blank=True)  # the provider's name for what waits to be confirmed
    looks = models.PositiveSmallIntegerField(_("looks"), default=0)
    found_by_look_up = models.BooleanField(_("found by look-up"), default=False)
    next_at = models.DateTimeField(_("goes on at"), null=True)
    asked_at = models.DateTimeField(_("asked at"), default=timezone.now)
    sent_at = models.DateTimeField(_("sent at"), null=True)
    ended_at = models.DateTimeField(_("ended at"), null=True)
    settled_by = models.CharField(_("settled by"), max_length=254, blank=True)

    objects = ConnectionOwnedQuerySet["Call"].as_manager()

    class Meta:
        verbose_name = _("call")
        verbose_name_plural = _("calls")
        ordering = ["-asked_at", "-id"]
        indexes = [
            models.Index(fields=["tenant", "connection", "-asked_at"], name="calls_of_connection"),
            models.Index(fields=["-asked_at", "-id"], name="calls_newest"),
        ]
        constraints = [
            # Pressing "send it again" twice makes one call.
            models.UniqueConstraint(fields=["tenant", "instead_of"], name="calls_one_successor"),
            RowSecurity(
                name="calls_call_fence",
                web="SELECT, INSERT, UPDATE (state, next_at, ended_at, settled_by)",
                worker="SELECT, UPDATE",
                staff=f"SELECT ({METADATA})",
            ),
            SameTenant(name="calls_call_connection_tenant", field="connection"),
            SameTenant(name="calls_call_instead_of_tenant", field="instead_of"),
        ]

    def __str__(self) -> str:
        return f"{self.operation} {self.state}"

    @property
    def call_arguments(self) -> Arguments:
        """What the operation is called with."""
        body = json_numbers.exact_values(self.body.encode()) if self.body else None
        return Arguments(**orjson.loads(self.arguments), body=body)

    @property
    def is_in_progress(self) -> bool:
        """A worker goes on with it by itself; a person need do nothing here."""
        return self.state in IN_PROGRESS or (self.state == CallState.UNKNOWN and self.next_at is not None)

    @property
    def needs_a_person(self) -> bool:
        """Only a person can find out what became of it."""
        return self.state == CallState.UNKNOWN and self.next_at is None
