"""One tenant's walk through one provider's checklist, the state of each checkpoint, and the proof for it."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.utils.translation import gettext_lazy as _

from connections.spec.checklist import MarkState
from connections.tenancy.models import TenantOwned
from connections.tenancy.row_security import RowSecurity, SameTenant
from connections.transport.models import ActivationRequest
from connections.vault.models import Connection
from portal.onboarding.handoff_models import Handoff, HandoffEnd

# Django looks for models in this module, and readers for their choices beside them.
__all__ = ["Handoff", "HandoffEnd"]

STATES = [
    (MarkState.OPEN.value, _("open")),
    (MarkState.UNCONFIRMED.value, _("unconfirmed")),
    (MarkState.ATTESTED.value, _("attested")),
    (MarkState.INFERRED.value, _("inferred")),
    (MarkState.VERIFIED.value, _("verified")),
    (MarkState.FAILING.value, _("failing")),
    (MarkState.WAIVED.value, _("waived")),
]


class Onboarding(TenantOwned):
    """The walk of one connection. What is to be done stands in the provider's checklist (code); what is done, here."""

    connection = models.OneToOneField(
        Connection, on_delete=models.CASCADE, db_constraint=False, related_name="onboarding"
    )
    started_at = models.DateTimeField(_("started at"), auto_now_add=True)
    completed_at = models.DateTimeField(_("completed at"), null=True)
    # When the watch last looked at it to the end: it is not asked twice in a night, however often a job is queued.
    watched_at = models.DateTimeField(_("watched at"), null=True)

    class Meta:
        verbose_name = _("onboarding")
        verbose_name_plural = _("onboardings")
        constraints = [
            RowSecurity(
                name="onboarding_fence",
                web="SELECT, INSERT",
                worker="SELECT, INSERT, UPDATE",
                staff="SELECT",
            ),
            SameTenant(name="onboarding_connection_tenant", field="connection"),
        ]

    def __str__(self) -> str:
        return f"onboarding {self.connection_id}"


class Mark(TenantOwned):
    """The state of one checkpoint in one onboarding, and since when.

    A checkpoint that a release brought after the onboarding began has none until something is known of it, and counts as
    open; a mark whose checkpoint a release has withdrawn is left alone.
    """

    onboarding = models.ForeignKey(Onboarding, on_delete=models.CASCADE, db_constraint=False, related_name="marks")
    checkpoint = models.CharField(_("checkpoint"), max_length=60)
    state = models.CharField(_("state"), max_length=12, choices=STATES, default=MarkState.OPEN.value)
    since = models.DateTimeField(_("since"), auto_now_add=True)
    # A check that was asked for and not answered yet: asked_at is later than checked_at.
    asked_at = models.DateTimeField(_("check asked at"), null=True)
    checked_at = models.DateTimeField(_("checked at"), null=True)

    class Meta:
        verbose_name = _("mark")
        verbose_name_plural = _("marks")
        constraints = [
            models.UniqueConstraint(fields=["tenant", "onboarding", "checkpoint"], name="onboarding_mark_once"),
            RowSecurity(
                name="onboarding_mark_fence",
                web="SELECT, INSERT, UPDATE (state, since, asked_at, checked_at)",
                worker="SELECT, INSERT, UPDATE",
                staff="SELECT",
            ),
            SameTenant(name="onboarding_mark_tenant", field="onboarding"),
        ]

    def __str__(self) -> str:
        return f"{self.checkpoint} {self.state}"


# Codes of evidence that says nothing of what was asked: nobody answered, or nothing that could be read.
NOTHING_NEW = ("no-word-now", "unreadable-answer", "check-gave-up")


class EvidenceQuerySet(models.QuerySet["Evidence"]):
    def with_findings(self) -> Self:
        """What was found of the thing itself. Where nobody answered, what had been found before still stands."""
        return self.exclude(values={}).exclude(code__in=NOTHING_NEW)


class Evidence(TenantOwned):
    """Why a mark is what it is: a sentence of the provider by its code, with time and request. Append-only."""

    mark = models.ForeignKey(Mark, on_delete=models.CASCADE, db_constraint=False, related_name="evidence")
    state = models.CharField(_("state"), max_length=12, choices=STATES)
    code = models.CharField(max_length=60)
    values = models.JSONField(default=dict)
    actor_name = models.CharField(_("who"), max_length=254, blank=True)  # of an attestation
    entry_id = models.UUIDField(_("entry id"), null=True)
    provider_request_id = models.CharField(_("provider request id"), max_length=140, blank=True)
    at = models.DateTimeField(_("time"), auto_now_add=True)

    objects = EvidenceQuerySet.as_manager()

    class Meta:
        verbose_name = _("evidence")
        verbose_name_plural = _("evidence")
        ordering = ["-at", "-id"]
        indexes = [models.Index(fields=["tenant", "mark", "-at"], name="onboarding_evidence_newest")]
        constraints = [
            RowSecurity(
                name="onboarding_evidence_fence", web="SELECT, INSERT", worker="SELECT, INSERT", staff="SELECT"
            ),
            SameTenant(name="onboarding_evidence_mark_tenant", field="mark"),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.state}"


class ActivationConsent(TenantOwned):
    """That the person who chose companies at a provider means this tenant: it is them who decides here, or they said so.

    The link of an activation names nobody, so whoever holds it could open it in another tenant. Of the mailed link only
    the SHA-256 of its secret is kept.
    """

    activation = models.ForeignKey(ActivationRequest, on_delete=models.CASCADE, db_constraint=False, related_name="+")
    digest = models.CharField(max_length=64, blank=True, editable=False)  # '' where no link was mailed
    asked_by = models.CharField(_("asked by"), max_length=254)
    asked_at = models.DateTimeField(_("asked at"), auto_now_add=True)
    expires_at = models.DateTimeField(_("valid until"), null=True)
    confirmed_at = models.DateTimeField(_("confirmed at"), null=True)
    declined_at = models.DateTimeField(_("declined at"), null=True)

    class Meta:
        verbose_name = _("consent to an activation")
        verbose_name_plural = _("consents to activations")
        constraints = [
            models.UniqueConstraint(fields=["tenant", "activation"], name="onboarding_consent_once"),
            RowSecurity(
                name="onboarding_consent_fence",
                web="SELECT, INSERT, UPDATE (digest, asked_by, asked_at, expires_at, confirmed_at, declined_at)",
                worker="SELECT",
                staff="SELECT (id, tenant_id, activation_id, asked_by, asked_at, expires_at, confirmed_at, declined_at)",
            ),
            SameTenant(name="onboarding_consent_activation_tenant", field="activation"),
        ]

    def __str__(self) -> str:
        return f"consent to {self.activation_id}"
