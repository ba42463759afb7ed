"""The request log and recordings, people's sign-ins at providers, requests to connect companies, quotas and breakers."""

from __future__ import annotations

import uuid
from typing import Self
from uuid import UUID

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from connections.spec.uses import Use
from connections.tenancy.models import Tenant, TenantOwned
from connections.tenancy.row_security import NoRowSecurity, RowSecurity, SameTenant
from connections.transport.departure_models import DeathProof, Departure, LastProbe
from connections.transport.tally_models import DayTally, MinuteTally
from connections.vault.fields import SealedField
from connections.vault.models import Connection
from connections.vault.querysets import SealedQuerySet

# Django looks for models in this module, and readers for their choices beside them.
__all__ = ["DayTally", "DeathProof", "Departure", "LastProbe", "MinuteTally"]


class Outcome(models.TextChoices):
    """How an attempt ended, in one word."""

    ANSWERED = "answered", _("answered")  # 2xx, readable
    REFUSED = "refused", _("refused")  # 4xx
    TROUBLED = "troubled", _("troubled")  # 5xx
    UNREACHABLE = "unreachable", _("no answer")
    UNREADABLE = "unreadable", _("unreadable")
    BLOCKED = "blocked", _("blocked")  # by our own checks: nothing was sent


class RequestLogEntryQuerySet(models.QuerySet["RequestLogEntry"]):
    def for_connection(self, connection_id: UUID | None) -> Self:
        return self.filter(connection=connection_id)

    def find(self, entry_id: UUID | None) -> RequestLogEntry | None:
        """The entry with this id; None without a look at the database where there is no id."""
        return self.filter(id=entry_id).first() if entry_id else None


class RequestLogEntry(models.Model):
    """One attempt at one HTTP call. An allow-list: never a URL, a header, a body or a secret.

    The table is partitioned by month and made by SQL in the first migration (its database key is `(at, id)`), so Django
    does not manage it; there is no foreign key but the tenant's.
    """

    id = models.UUIDField(_("entry id"), primary_key=True, default=uuid.uuid4, editable=False)
    at = models.DateTimeField(_("time"))
    tenant = models.ForeignKey(Tenant, on_delete=models.DO_NOTHING, related_name="+")
    connection = models.ForeignKey(
        Connection, on_delete=models.DO_NOTHING, db_constraint=False, null=True, related_name="entries"
    )  # none yet while companies are being chosen at the provider (activation.py)
    run_id = models.UUIDField(_("run"), null=True)
    checkpoint = models.CharField(_("checkpoint"), max_length=60, blank=True)
    provider = models.CharField(_("provider"), max_length=40)
    environment = models.CharField(_("environment"), max_length=12)
    api_version = models.CharField(_("API version"), max_length=20, blank=True)
    operation = models.CharField(_("operation"), max_length=60)
    method = models.CharField(_("method"), max_length=8)
    path_template = models.CharField(_("path"), max_length=200)
    status = models.PositiveSmallIntegerField(_("status"), null=True)
    outcome = models.CharField(_("outcome"), max_length=12, choices=Outcome.choices)
    fault = models.CharField(_("fault"), max_length=60, blank=True)
    attempt = models.PositiveSmallIntegerField(_("attempt"), default=1)
    duration_ms = models.PositiveIntegerField(_("duration (ms)"))
    bytes_in = models.PositiveIntegerField(_("bytes"), default=0)
    provider_request_id = models.CharField(_("provider request id"), max_length=140, blank=True)
    token_age_s = models.PositiveIntegerField(_("token age (s)"), null=True)
    quota_left = models.IntegerField(_("quota left"), null=True)
    leads_to = models.CharField(_("redirect to"), max_length=253, blank=True)  # a host, never a URL
    trace_id = models.CharField(
        _("trace id"), max_length=32, blank=True
    )  # of the page, or else the job, that wanted it

    objects = RequestLogEntryQuerySet.as_manager()

    class Meta:
        managed = False
        db_table = "transport_entry"
        verbose_name = _("request")
        verbose_name_plural = _("request log")
        ordering = ["-at", "-id"]

    def __str__(self) -> str:
        return f"{self.method} {self.path_template}"


class AttemptState(models.TextChoices):
    STARTED = "started", _("started")
    RECEIVED = "received", _("answer received")
    EXCHANGED = "exchanged", _("connected")
    DENIED = "denied", _("denied")
    FAILED = "failed", _("failed")


class AuthorizationAttemptQuerySet(SealedQuerySet["AuthorizationAttempt"]):
    def for_connection(self, connection_id: UUID) -> Self:
        return self.filter(connection_id=connection_id)


class AuthorizationAttempt(TenantOwned):
    """One person sent to a provider's login page for one connection (SECURITY OAU-1). Its `state` is known by hash only.

    `code_ciphertext` and `verifier_ciphertext` are sealed by the web and opened by the worker that exchanges the code.
    """

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, db_constraint=False, related_name="attempts")
    login = models.CharField(_("login"), max_length=40)  # the provider's grant or key login, by name
    checkpoint = models.CharField(_("checkpoint"), max_length=60, blank=True)
    state_digest = models.CharField(max_length=64)
    session_digest = models.CharField(max_length=64)
    actor_id = models.BigIntegerField(null=True)
    actor_name = models.CharField(_("who"), max_length=254)
    redirect_uri = models.URLField(_("redirect address"))
    token_address = models.URLField(
        _("token address")
    )  # as it was when the attempt began; the callback cannot move it
    key_version = models.PositiveIntegerField(default=0)
    verifier_ciphertext = SealedField(uses=frozenset({Use.TOKEN_REQUEST}), named_by="login", null=True)
    code_key_version = models.PositiveIntegerField(default=0)
    code_ciphertext = SealedField(
        key_version="code_key_version", uses=frozenset({Use.TOKEN_REQUEST}), named_by="login", null=True
    )
    state = models.CharField(_("state"), max_length=10, choices=AttemptState.choices, default=AttemptState.STARTED)
    started_at = models.DateTimeField(_("started at"), auto_now_add=True)
    consumed_at = models.DateTimeField(_("answered at"), null=True)
    ended_at = models.DateTimeField(_("ended at"), null=True)
    reason_code = models.CharField(_("why"), max_length=60, blank=True)  # a fault's code, or one of ours
    entry_id = models.UUIDField(_("entry id"), null=True)

    objects = AuthorizationAttemptQuerySet.as_manager()

    class Meta:
        verbose_name = _("authorisation")
        verbose_name_plural = _("authorisations")
        ordering = ["-started_at"]
        indexes = [models.Index(fields=["tenant", "connection", "-started_at"], name="transport_attempt_newest")]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "state_digest"], name="transport_attempt_state"),
            RowSecurity(
                name="transport_attempt_fence",
                web="SELECT (id, tenant_id, connection_id, login, checkpoint, state_digest, session_digest, actor_id,"
                " actor_name, redirect_uri, token_address, state, started_at, consumed_at, ended_at, reason_code, entry_id),"
                " INSERT, UPDATE (state, consumed_at, ended_at, reason_code, code_key_version, code_ciphertext)",
                worker="SELECT, UPDATE",
                staff="SELECT (id, tenant_id, connection_id, login, checkpoint, actor_name, redirect_uri, state, started_at,"
                " consumed_at, ended_at, reason_code, entry_id)",
            ),
            SameTenant(name="transport_attempt_connection_tenant", field="connection"),
        ]

    def __str__(self) -> str:
        return f"{self.login} {self.state}"


class ActivationState(models.TextChoices):
    ASKED = "asked", _("being fetched")
    SHOWN = "shown", _("waits for a decision")
    DECIDING = "deciding", _("being carried out")
    DECIDED = "decided", _("carried out")
    EXPIRED = "expired", _("expired")
    FAILED = "failed", _("failed")


class ActivationRequest(TenantOwned):
    """Somebody's wish at a provider that we connect several companies, brought here by a browser, decided by a person.

    `request_ciphertext` is the provider's id of it, sealed by the web and opened by workers; it goes when it has ended.
    """

    provider = models.CharField(_("provider"), max_length=40)
    environment = models.CharField(_("environment"), max_length=12)
    key_version = models.PositiveIntegerField()
    request_ciphertext = SealedField(uses=frozenset({Use.PATH}))
    actor_id = models.BigIntegerField(null=True)
    actor_name = models.CharField(_("who"), max_length=254)
    state = models.CharField(_("state"), max_length=10, choices=ActivationState.choices, default=ActivationState.ASKED)
    proposal = models.JSONField(default=dict)  # initiator, email, companies as [id, further words]
    expires_at = models.DateTimeField(_("valid until"), null=True)
    approved = models.JSONField(default=list)  # ids of companies
    opened = models.JSONField(default=dict)  # company id -> connection id
    asked_at = models.DateTimeField(_("asked at"), auto_now_add=True)
    ended_at = models.DateTimeField(_("ended at"), null=True)
    reason_code = models.CharField(_("why"), max_length=60, blank=True)  # a fault's code, or one of ours
    entry_id = models.UUIDField(_("entry id"), null=True)

    objects = SealedQuerySet["ActivationRequest"].as_manager()

    class Meta:
        verbose_name = _("activation")
        verbose_name_plural = _("activations")
        ordering = ["-asked_at"]
        constraints = [
            RowSecurity(
                name="transport_activation_fence",
                web="SELECT (id, tenant_id, provider, environment, actor_id, actor_name, state, proposal, expires_at, approved,"
                " opened, asked_at, ended_at, reason_code, entry_id), INSERT, UPDATE (state, approved)",
                worker="SELECT, UPDATE",
                staff="SELECT (id, tenant_id, provider, environment, actor_name, state, expires_at, asked_at, ended_at,"
                " reason_code, entry_id)",
            )
        ]

    def __str__(self) -> str:
        return f"activation {self.state}"

    @property
    def companies(self) -> list[tuple[str, str]]:
        """Of the proposal: id and further words."""
        return [(company, words) for company, words in self.proposal.get("companies", [])]


class RecordingQuerySet(models.QuerySet["Recording"]):
    def for_connection(self, connection_id: UUID) -> Self:
        return self.filter(connection_id=connection_id)

    def live(self) -> Self:
        """Those that calls are still added to, by the database's clock."""
        return self.filter(stopped_at=None, until_at__gt=Now())


class Recording(TenantOwned):
    """An owner's wish that what one connection sends and hears is kept for a while (SECURITY LOG-2). One at a time.

    It has a key pair of its own: workers seal with the public half, and only the web process opens the private one.
    """

    connection = models.ForeignKey(
        Connection, on_delete=models.CASCADE, db_constraint=False, related_name="recordings"
    )
    public_keyset = models.TextField()
    wrapped_keyset = models.TextField()
    started_by = models.CharField(_("started by"), max_length=254)
    started_at = models.DateTimeField(_("started at"))
    until_at = models.DateTimeField(_("until"))
    stopped_at = models.DateTimeField(_("stopped at"), null=True)
    kept = models.PositiveIntegerField(_("kept"), default=0)

    objects = RecordingQuerySet.as_manager()

    class Meta:
        verbose_name = _("recording")
        verbose_name_plural = _("recordings")
        constraints = [
            models.UniqueConstraint(fields=["tenant", "connection"], name="transport_recording_one"),
            RowSecurity(
                name="transport_recording_fence",
                web="SELECT, INSERT, UPDATE (stopped_at), DELETE",
                worker="SELECT (id, tenant_id, connection_id, public_keyset, until_at, stopped_at, kept), UPDATE (kept),"
                " DELETE",
            ),
            SameTenant(name="transport_recording_connection_tenant", field="connection"),
        ]

    def __str__(self) -> str:
        return f"recording of {self.kept}"


class RecordedCall(TenantOwned):
    """What was sent and answered in one attempt, as far as it may be kept: sealed, see recording.py."""

    recording = models.ForeignKey(Recording, on_delete=models.CASCADE, db_constraint=False, related_name="calls")
    entry_id = models.UUIDField(_("entry id"))
    at = models.DateTimeField(_("time"))
    operation = models.CharField(_("operation"), max_length=60)
    status = models.PositiveSmallIntegerField(_("status"), null=True)
    ciphertext = models.BinaryField()

    class Meta:
        verbose_name = _("recorded request")
        verbose_name_plural = _("recorded requests")
        ordering = ["-at", "-id"]
        indexes = [models.Index(fields=["tenant", "recording", "-at", "-id"], name="transport_recorded_newest")]
        constraints = [
            RowSecurity(
                name="transport_recorded_fence",
                web="SELECT, DELETE",
                worker="SELECT (id, tenant_id, recording_id), INSERT, DELETE",
            ),
            SameTenant(name="transport_recorded_recording_tenant", field="recording"),
        ]

    def __str__(self) -> str:
        return f"{self.operation} {self.status or '-'}"


class QuotaWindow(models.Model):
    """What is left of one counted thing. One row per quota and key, moved by one atomic statement."""

    key = models.CharField(primary_key=True, max_length=200)
    next_at = models.DateTimeField(null=True)  # short spans: the next free slot
    counts = models.JSONField(default=dict)  # long spans: calls by slice of the span, newest slices only

    class Meta:
        verbose_name = _("quota window")
        verbose_name_plural = _("quota windows")
        constraints = [
            NoRowSecurity(
                name="transport_quota_rights",
                reason="a provider may count a client registration, which all tenants share; keys and times only",
                worker="SELECT, INSERT, UPDATE, DELETE",
                staff="SELECT",
            )
        ]

    def __str__(self) -> str:
        return self.key


class Breaker(models.Model):
    """How a provider's server, or one connection at it, has fared lately. There is no row while all is well."""

    key = models.CharField(primary_key=True, max_length=200)
    of_connection = models.BooleanField(default=False)
    began_at = models.DateTimeField()  # of the span that is counted
    good = models.PositiveIntegerField(default=0)
    bad = models.PositiveIntegerField(default=0)
    by = models.UUIDField(null=True)  # the connection that failed first
    is_shared = models.BooleanField(default=False)  # another one failed as well
    opened_at = models.DateTimeField(null=True)
    healed_at = models.DateTimeField(null=True)  # the first good answer after that
    next_at = models.DateTimeField(null=True)  # when the next caller is let through

    class Meta:
        verbose_name = _("breaker")
        verbose_name_plural = _("breakers")
        constraints = [
            NoRowSecurity(
                name="transport_breaker_rights",
                reason="a server's trouble is that of all tenants who use it; hashed names, counts and times only",
                web="SELECT",
                worker="SELECT, INSERT, UPDATE, DELETE",
                staff="SELECT",
            )
        ]

    def __str__(self) -> str:
        return self.key
