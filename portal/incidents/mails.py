"""The mails: one text with the same words as HTML, with links to the very checkpoint and one that ends mails like this."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.urls import reverse

from connections.providers import registry
from connections.tenancy.models import Tenant
from connections.vault.models import Connection
from portal.incidents.forecast import Forecast, find_forecast, with_forecast_facts
from portal.incidents.forecast_words import forecast_words
from portal.incidents.kinds import STAFF, MailKind
from portal.incidents.models import Evident, Incident, Notice, Outage
from portal.incidents.sentences import cause_sentence, checkpoint_title
from portal.incidents.unsubscribing import link_for
from portal.members.mailing import mailbox
from portal.members.models import User

_words: Callable[[UUID], Mapping[str, str]] | None = None


def connect_words(words: Callable[[UUID], Mapping[str, str]]) -> None:
    """Called while the apps load, by portal/onboarding, which knows what of it was done by somebody else."""
    global _words
    _words = words


class NoticeMail(EmailMultiAlternatives):
    """A mail to a member; the team's page shows by `about` whether mails reach that address."""

    about: UUID | None = None


@dataclass(frozen=True)
class Reader:
    """Whom a mail goes to."""

    user_id: int
    email: str
    time_zone: str


@dataclass(frozen=True)
class MailItem:
    """One thing that a mail says: the kind that its reader may refuse, what its templates are called, and their words."""

    kind: str
    template: str
    words: dict[str, Any]

    @property
    def subject(self) -> str:
        return " ".join(render_to_string(f"incidents/mail/{self.template}_subject.txt", self.words).split())


def reader_of(user_id: int) -> Reader | None:
    """None for somebody who cannot sign in."""
    row = User.objects.filter(id=user_id, is_active=True).values_list("id", "email", "time_zone").first()
    return None if row is None else Reader(*row)


def items_of(notices: Sequence[Notice]) -> dict[UUID, MailItem]:
    """What is to be said, by the notice's id; without those whose subject is gone, or was renewed meanwhile.

    Three queries, however many notices, and one for each that waits. In the tenant's scope.
    """
    abouts = [notice.about for notice in notices]
    incidents = {row.id: row for row in Incident.objects.filter(id__in=abouts)}
    outages = {row.id: row for row in Outage.objects.filter(id__in=abouts)}
    ids = [notice.connection_id for notice in notices if notice.connection_id is not None]
    rows = with_forecast_facts(Connection.objects.select_related("tenant").filter(id__in=ids))
    connections = {row.id: row for row in rows}
    items = {}
    for notice in notices:
        connection = connections.get(notice.connection_id) if notice.connection_id else None
        if connection is None:
            continue
        if notice.kind != MailKind.EXPIRES:
            incident, outage = incidents.get(notice.about), outages.get(notice.about)
            items[notice.id] = _item(notice.kind, connection, incident, outage, notice.about)
        elif (forecast := find_forecast(connection, notice.about)) is not None:
            items[notice.id] = _expiry(connection, forecast)
    return items


def _expiry(connection: Connection, forecast: Forecast) -> MailItem:
    words: dict[str, Any] = {
        "provider": provider_name(connection.provider),
        "company": connection.company_name,
        "tenant": connection.tenant.name,
        "forecast": forecast_words(forecast),
        "due_at": forecast.due_at,
        "day": forecast.day,
        "title": checkpoint_title(connection.provider, connection.auth_method, forecast.checkpoint),
        "address": address_of(connection, forecast.checkpoint),
    }
    return MailItem(MailKind.EXPIRES, MailKind.EXPIRES, words)


def _item(
    kind: str, connection: Connection, incident: Incident | None, outage: Outage | None, about: UUID
) -> MailItem:
    words: dict[str, Any] = {
        "provider": provider_name(connection.provider),
        "company": connection.company_name,
        "tenant": connection.tenant.name,
        "address": address_of(connection, ""),
    }
    if incident is not None:
        # What is mended at a checkpoint is linked there; once it is over, the connection's page says how it is.
        at = incident.checkpoint if kind == MailKind.BROKEN else ""
        title = checkpoint_title(connection.provider, connection.auth_method, at)
        words |= {
            "sentence": cause_sentence(connection.provider, incident.cause, incident.values),
            "since": incident.opened_at,
            "until": incident.closed_at,
            "title": title,
            "lasts": incident.opened_by == Evident.DURATION,
            "address": address_of(connection, at if title else ""),
        }
    elif outage is not None:
        words |= {"since": outage.opened_at, "until": outage.closed_at}
    elif kind == MailKind.WAITS:
        words["address"] = settings.ORIGIN + reverse("checklist", args=[connection.tenant.slug, connection.id])
        words |= _words(about) if _words is not None else {}
    elif kind == MailKind.ASKED:
        words |= _asked(connection)
    return MailItem(kind, MailKind.OUTAGE if outage is not None else kind, words)


def _asked(connection: Connection) -> dict[str, Any]:
    """The checkpoint at which it is mended where that is known, else the checklist, which opens at the one to do next."""
    broken = Incident.objects.filter(tenant_id=connection.tenant_id, connection_id=connection.id, closed_at=None)
    incident = broken.exclude(checkpoint="").order_by("-opened_at").first()
    title = incident and checkpoint_title(connection.provider, connection.auth_method, incident.checkpoint)
    if incident is None or not title:
        return {"address": settings.ORIGIN + reverse("checklist", args=[connection.tenant.slug, connection.id])}
    sentence = cause_sentence(connection.provider, incident.cause, incident.values)
    return {"title": title, "sentence": sentence, "address": address_of(connection, incident.checkpoint)}


def address_of(connection: Connection, checkpoint: str) -> str:
    """An ordinary address behind the sign-in: of this checkpoint, else of the connection."""
    names = (connection.tenant.slug, connection.id)
    if checkpoint:
        return settings.ORIGIN + reverse("checkpoint", args=[*names, checkpoint])
    return settings.ORIGIN + reverse("connection", args=names)


def provider_name(slug: str) -> str:
    provider = registry.find(slug)
    return provider.name if provider is not None else slug


def send(reader: Reader, tenant: Tenant, items: Sequence[MailItem]) -> None:
    """Queue one mail in the caller's transaction: about one thing, or several in the order in which they happened."""
    kinds = sorted({item.kind for item in items})
    choice = settings.ORIGIN + reverse("mail_choice", args=[tenant.slug])
    words = {"count": len(items), "tenant": tenant.name}
    several = " ".join(render_to_string("incidents/mail/several_subject.txt", words).split())
    _queue(
        reader,
        subject=items[0].subject if len(items) == 1 else several,
        items=items,
        stop=link_for(user_id=reader.user_id, tenant_id=tenant.id, kinds=kinds),
        choice=choice,
    )


def send_to_staff(reader: Reader, item: MailItem) -> None:
    """The same for one of our people who subscribed."""
    _queue(
        reader,
        subject=item.subject,
        items=[item],
        stop=link_for(user_id=reader.user_id, tenant_id=None, kinds=[STAFF]),
        choice=settings.ORIGIN + reverse("mail_choices"),
    )


def _queue(reader: Reader, *, subject: str, items: Sequence[MailItem], stop: str, choice: str) -> None:
    shared = {"time_zone": reader.time_zone}
    texts = [render_to_string(f"incidents/mail/{item.template}.txt", item.words | shared) for item in items]
    words = {"items": [text.strip() for text in texts], "stop": stop, "choice": choice}
    text = _squeezed(render_to_string("incidents/mail/frame.txt", words))
    links = {stop, choice, *(str(item.words["address"]) for item in items)}
    html = render_to_string("incidents/mail/frame.html", {"subject": subject, "paragraphs": _paragraphs(text, links)})
    mail = NoticeMail(subject=subject, body=text, to=[reader.email])
    mail.about = mailbox(reader.email)
    mail.extra_headers = {
        "List-Unsubscribe": f"<{stop}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "Auto-Submitted": "auto-generated",
    }
    mail.attach_alternative(html, "text/html")
    mail.send()


def _squeezed(text: str) -> str:
    """Without the blank lines that a template's tags leave behind."""
    paragraphs = [part.strip() for part in text.replace("\r", "").split("\n\n")]
    return "\n\n".join(part for part in paragraphs if part) + "\n"


def _paragraphs(text: str, links: set[str]) -> list[list[tuple[str, bool]]]:
    """Its paragraphs as lines, each with whether it is one of our own addresses: no other becomes a link."""
    return [
        [(line.strip(), line.strip() in links) for line in part.splitlines()] for part in text.strip().split("\n\n")
    ]


def format_words(provider: str, environment: str, since: datetime, until: datetime | None) -> dict[str, Any]:
    """The words of a mail about an outage, to our staff."""
    return {"provider": provider_name(provider), "environment": environment, "since": since, "until": until}
