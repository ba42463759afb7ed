"""How a connection was left: who asked for it, what proved that the access is dead, and what was destroyed and when."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from connections.tenancy.models import TenantOwned
from connections.tenancy.row_security import RowSecurity, SameTenant
from connections.tenancy.session import clock_timestamp, session_person_name
from connections.vault.models import Connection
from connections.vault.querysets import ConnectionOwnedQuerySet


class LastProbe(models.TextChoices):
    """What came of the last attempt to get in with what is stored."""

    DEAD = "dead", _("refused: it opens nothing any more")
    LIVES = "lives", _("accepted: it still opens your books")
    UNCLEAR = "unclear", _("no answer that settles it")


class DeathProof(models.TextChoices):
    """What the certificate says of the access, once everything is destroyed here."""

    PROVED = "proved", _("proved to be dead")
    NOT_PROVED = "not-proved", _("not proved to be dead")
    NOTHING = "nothing", _("there was nothing left to prove it with")


class Departure(TenantOwned):
    """One for each connection that is disconnected. Its certificate is written from this row and nothing else.

    Who asked and when are the database's own words. What was found and destroyed only workers write; the web process may
    ask for a probe, for an end without one, and for the records to be kept or deleted.
    """

    connection = models.OneToOneField(
        Connection, on_delete=models.CASCADE, db_constraint=False, related_name="departure"
    )
    asked_by = models.CharField(_("disconnected by"), max_length=254, db_default=session_person_name())
    asked_at = models.DateTimeField(_("disconnected at"), db_default=clock_timestamp())
    keeps_records = models.BooleanField(_("what was read is kept"), db_default=True)
    probe_asked_at = models.DateTimeField(_("probe asked for at"), null=True)
    end_asked_at = models.DateTimeField(_("ended early at"), null=True)
    end_asked_by = models.CharField(_("ended early by"), max_length=254, blank=True, db_default="")
    # The credential is kept for the last probe until then at the latest; NULL where it never was.
    held_until = models.DateTimeField(_("kept for the last probe until"), null=True)
    probed_at = models.DateTimeField(_("last probed at"), null=True)
    last_probe = models.CharField(_("last probe"), max_length=12, choices=LastProbe.choices, blank=True, db_default="")
    probe_fault = models.CharField(_("fault"), max_length=60, blank=True, db_default="")
    entry_id = models.UUIDField(_("entry id"), null=True)
    provider_request_id = models.CharField(_("provider request id"), max_length=140, blank=True, db_default="")
    proof = models.CharField(_("proof"), max_length=12, choices=DeathProof.choices, blank=True, db_default="")
    destroyed_at = models.DateTimeField(_("secrets destroyed at"), null=True)
    destroyed = models.JSONField(_("what was destroyed"), db_default=[])  # names of credentials, and `session`
    # What was read is deleted from then on, where it is not kept; until then the choice may be taken back.
    deletes_at = models.DateTimeField(_("records are deleted from"), null=True)
    deleted_records = models.BigIntegerField(_("records deleted"), db_default=0)
    deleted_at = models.DateTimeField(_("records deleted at"), null=True)

    objects = ConnectionOwnedQuerySet["Departure"].as_manager()

    class Meta:
        verbose_name = _("departure")
        verbose_name_plural = _("departures")
        indexes = [models.Index(fields=["-asked_at", "-id"], name="transport_departure_newest")]
        constraints = [
            RowSecurity(
                name="transport_departure_fence",
                web="SELECT, INSERT (id, tenant_id, connection_id, keeps_records),"
                " UPDATE (keeps_records, probe_asked_at, end_asked_at, end_asked_by)",
                worker="SELECT, UPDATE",
                staff="SELECT",
                is_target=False,
            ),
            SameTenant(name="transport_departure_connection_tenant", field="connection"),
        ]

    def __str__(self) -> str:
        return f"departure of {self.connection_id}"

    @property
    def is_ended(self) -> bool:
        """Whether nothing is stored any more that could open anything."""
        return self.destroyed_at is not None

    @property
    def is_probing(self) -> bool:
        """A probe was asked for, and its answer is still awaited."""
        if self.is_ended:
            return False
        return self.probed_at is None or (self.probe_asked_at is not None and self.probe_asked_at > self.probed_at)

    @property
    def is_ending(self) -> bool:
        """Somebody wants the end without a proof, and a worker has not destroyed everything yet."""
        return self.end_asked_at is not None and not self.is_ended

    @property
    def waits_for_removal(self) -> bool:
        """The credential is not proved to be dead: somebody has to remove it at the provider, and have it probed."""
        return not self.is_ended and not self.is_probing and not self.is_ending

    @property
    def is_deleting(self) -> bool:
        """Records are being deleted, or have been: the choice cannot be taken back any more."""
        return self.deleted_records > 0 or self.deleted_at is not None
