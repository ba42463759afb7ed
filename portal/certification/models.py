"""Reports of how we keep what a provider's certification asks for: the bytes, and what came of computing them again."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _

from connections.spec.provider import Environment
from connections.tenancy.row_security import NoRowSecurity
from connections.tenancy.session import clock_timestamp, session_person_name
from connections.vault.models import ProviderField

HOUSE = uuid.UUID(int=0)  # the chain of what is no tenant's


class ReportState(models.TextChoices):
    ASKED = "asked", _("being computed")
    COMPUTED = "computed", _("computed")
    FAILED = "failed", _("not computed")


class CertificationReport(models.Model):
    """One report about one provider's environment and some whole days (UTC). Its bytes are written once, by a worker.

    Staff ask for one, and for it to be computed again from the raw rows: they cannot write what it says.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    provider = ProviderField(_("provider"), max_length=40)
    environment = models.CharField(_("environment"), max_length=12, choices=Environment.choices())
    first_day = models.DateField(_("first day"))
    last_day = models.DateField(_("last day"))
    asked_by = models.CharField(_("asked by"), max_length=254, db_default=session_person_name())
    asked_at = models.DateTimeField(_("asked at"), db_default=clock_timestamp())
    state = models.CharField(
        _("state"), max_length=12, choices=ReportState.choices, default=ReportState.ASKED, db_default=ReportState.ASKED
    )
    content = models.TextField(_("content"), db_default="")  # JSON, exactly as it is given out
    digest = models.CharField(_("SHA-256"), max_length=64, db_default="")
    computed_at = models.DateTimeField(_("computed at"), null=True)
    again_asked_at = models.DateTimeField(_("asked to be computed again at"), null=True)
    again_at = models.DateTimeField(_("computed again at"), null=True)
    again_digest = models.CharField(_("SHA-256 of the second time"), max_length=64, db_default="")

    class Meta:
        verbose_name = _("certification report")
        verbose_name_plural = _("certification reports")
        ordering = ["-asked_at", "-id"]
        indexes = [
            models.Index(fields=["-asked_at", "-id"], name="certification_report_newest"),
        ]
        constraints = [
            NoRowSecurity(
                name="certification_report_rights",
                reason="figures of our own traffic at a provider over all tenants, with ids of rows and nothing in them",
                worker="SELECT, UPDATE (state, content, digest, computed_at, again_at, again_digest)",
                staff="SELECT, INSERT (id, provider, environment, first_day, last_day), UPDATE (again_asked_at)",
            )
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.environment} {self.first_day} {self.last_day}"

    @property
    def is_waiting(self) -> bool:
        """Whether a worker has yet to compute it, for the first time or again."""
        is_again = self.again_asked_at is not None and (self.again_at is None or self.again_at < self.again_asked_at)
        return self.state == ReportState.ASKED or (self.state == ReportState.COMPUTED and is_again)

    @property
    def is_equal(self) -> bool | None:
        """Whether the second time gave the same bytes; None where there was none."""
        return self.digest == self.again_digest if self.again_at is not None else None


class ChainLink(models.Model):
    """One link of the chain of evidence: the hash of a row, and of all links before it. See chain.py.

    There is no foreign key to the row: a link stays when its row is deleted.
    """

    id = models.BigAutoField(primary_key=True)
    chain = models.UUIDField(_("chain"))  # a tenant's id, or HOUSE
    position = models.PositiveBigIntegerField(_("position"))
    trail = models.CharField(_("trail"), max_length=12)
    row_id = models.UUIDField(_("row"))
    row_at = models.DateTimeField(_("time of the row"))
    row_hash = models.CharField(max_length=64)
    note = models.CharField(_("note"), max_length=80, blank=True)
    hash = models.CharField(_("SHA-256"), max_length=64)
    linked_at = models.DateTimeField(_("linked at"), db_default=clock_timestamp())

    class Meta:
        verbose_name = _("link of the chain of evidence")
        verbose_name_plural = _("links of the chain of evidence")
        constraints = [
            models.UniqueConstraint(fields=["chain", "position"], name="certification_link_place"),
            models.UniqueConstraint(fields=["trail", "row_id"], name="certification_link_once"),
            NoRowSecurity(
                name="certification_link_rights",
                reason="hashes and ids of rows, and nothing in them; only the owner of the tables writes one",
                worker="SELECT",
                staff="SELECT",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.trail} {self.position}"
