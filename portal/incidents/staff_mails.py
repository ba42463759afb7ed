"""Mails to those of our people who subscribed: a provider's outage at once, and what is ours to mend."""

from __future__ import annotations

from django.conf import settings
from django.urls import reverse

from portal.incidents import mails
from portal.incidents.kinds import STAFF
from portal.incidents.mails import MailItem, Reader
from portal.incidents.models import Incident, Outage, StaffSubscription
from portal.members.models import User
from portal.members.permissions import StaffAction, StaffRole


def subscribers() -> list[Reader]:
    """Who subscribed and is staff today: the web may write the first and never the second."""
    wanting = StaffSubscription.objects.values("user_id")
    roles = StaffRole.that_can(StaffAction.VIEW)
    people = User.objects.filter(id__in=wanting, is_active=True, staff_role__in=roles).order_by("id")
    return [Reader(*row) for row in people.values_list("id", "email", "time_zone")]


def tell_of_outage(outage: Outage) -> None:
    """It has begun, or it is over, in the transaction that writes so."""
    _send(
        "staff_outage",
        mails.format_words(outage.provider, outage.environment, outage.opened_at, outage.closed_at),
        outage,
    )


def tell_of_incident(incident: Incident) -> None:
    _tell("staff_broken", incident)


def tell_of_end(incident: Incident) -> None:
    _tell("staff_healed", incident)


def _tell(kind: str, incident: Incident) -> None:
    connection = incident.connection
    words = mails.format_words(connection.provider, connection.environment, incident.opened_at, incident.closed_at)
    _send(kind, words | {"cause": incident.cause}, incident)


def _send(kind: str, words: dict[str, object], row: Incident | Outage) -> None:
    name = f"admin:{row._meta.app_label}_{row._meta.model_name}_change"
    words["address"] = settings.ORIGIN + reverse(name, args=[row.pk])
    for reader in subscribers():
        mails.send_to_staff(reader, MailItem(STAFF, kind, words))
