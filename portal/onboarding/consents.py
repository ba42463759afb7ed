"""Who chose companies at a provider must mean this tenant: it is the person who decides here, or they confirm it by mail."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

from allauth.account.models import EmailAddress
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from connections.providers import registry
from connections.spec.text import duration
from connections.tenancy import audit
from connections.tenancy.models import Lookup, Tenant, TenantState
from connections.tenancy.scope import Actor, tenant_scope
from connections.tenancy.settings import time_zone_of
from connections.transport.models import ActivationRequest, ActivationState
from connections.transport.oauth import activation as activation_requests
from connections.vault.services import ActionRefused
from portal.members.mailing import Delivery, TrackedMail, deliveries_of, masked
from portal.members.models import User
from portal.onboarding.models import ActivationConsent

VALID_FOR = timedelta(hours=24)
AGAIN_AFTER = timedelta(minutes=2)  # between two mails about one request
TOKEN_BYTES = 32
PURPOSE = "activation-consent"
MOST_NAMED = 20  # companies in a mail


class ConsentState(Enum):
    """What is known of whoever chose the companies. Only the first two let anybody decide."""

    OWN = "own"  # their address is a verified one of the person who looks
    CONFIRMED = "confirmed"
    NEEDED = "needed"
    ASKED = "asked"  # a mail is on its way to them, or was
    DECLINED = "declined"
    NO_ADDRESS = "no-address"  # the provider does not say who it was, so nobody can be asked


@dataclass(frozen=True)
class Consent:
    """As the page of a request shows it."""

    state: ConsentState
    row: ActivationConsent | None = None
    delivery: Delivery | None = None
    may_ask_again: bool = False

    @property
    def name(self) -> str:
        return self.state.value

    @property
    def is_given(self) -> bool:
        return self.state in (ConsentState.OWN, ConsentState.CONFIRMED)


@dataclass(frozen=True)
class Question:
    """What the link in the mail is about, while it can be answered."""

    row: ActivationConsent
    activation: ActivationRequest
    tenant: Tenant

    @property
    def provider_name(self) -> str:
        return str(registry.all_providers()[self.activation.provider].name)

    @property
    def email(self) -> str:
        return address_of(self.activation)

    @property
    def companies(self) -> list[str]:
        return [words or company for company, words in self.activation.companies]


def address_of(activation: ActivationRequest) -> str:
    """Of whoever chose the companies, as the provider names it; '' where it names none that mail could go to."""
    email = str(activation.proposal.get("email", "")).strip()
    try:
        validate_email(email)
    except ValidationError:
        return ""
    return email


def consent_of(activation: ActivationRequest, user: User) -> Consent:
    """Three queries at most. Needs the tenant's scope."""
    email = address_of(activation)
    row = ActivationConsent.objects.filter(activation=activation).first()
    if row is not None and row.declined_at:
        return Consent(ConsentState.DECLINED, row)
    if row is not None and row.confirmed_at:
        return Consent(ConsentState.CONFIRMED, row)
    if not email:
        return Consent(ConsentState.NO_ADDRESS)
    if is_own(email, user):
        return Consent(ConsentState.OWN)
    if row is None or row.expires_at is None or row.expires_at <= timezone.now():
        return Consent(ConsentState.NEEDED, row)
    may_ask_again = row.asked_at < timezone.now() - AGAIN_AFTER
    return Consent(ConsentState.ASKED, row, deliveries_of([row.id]).get(row.id), may_ask_again)


def is_own(email: str, user: User) -> bool:
    """Whether it is a verified address of this person, letter by letter; of ASCII letters, capitals do not matter.

    Other alphabets hold letters that turn into ASCII ones when they are made small.
    """
    folded_email = _folded(email)
    theirs = EmailAddress.objects.filter(user_id=user.pk, verified=True).values_list("email", flat=True)
    return any(_folded(address) == folded_email for address in theirs)


def _folded(email: str) -> str:
    return "".join(letter.lower() if letter.isascii() else letter for letter in email)


def ask(*, activation: ActivationRequest, tenant: Tenant, user: User) -> None:
    """Mail the person who chose the companies a link by which they say whether this tenant is meant.

    One link is valid at a time. Raises ActionRefused where there is nothing to ask, nobody to ask, or it was asked just now;
    KeyUnavailable. Needs the tenant's scope.
    """
    now = timezone.now()
    consent = consent_of(activation, user)
    if activation.state != ActivationState.SHOWN or consent.state not in (ConsentState.NEEDED, ConsentState.ASKED):
        raise ActionRefused(_("There is nobody to ask about this request."))
    if activation.expires_at and activation.expires_at <= now:
        raise ActionRefused(activation_requests.MESSAGES["expired"])
    if consent.row is not None and consent.row.asked_at > now - AGAIN_AFTER:
        raise ActionRefused(
            _("The mail was sent off a moment ago. If it does not arrive, ask again in %(time)s.")
            % {"time": duration(AGAIN_AFTER)}
        )
    token = secrets.token_urlsafe(TOKEN_BYTES)
    until = min(now + VALID_FOR, activation.expires_at or now + VALID_FOR)
    values = {"digest": _digest(token), "asked_by": user.email, "asked_at": now, "expires_at": until}
    with transaction.atomic():
        if consent.row is not None:
            _forget(consent.row)
        row, _made = ActivationConsent.objects.update_or_create(
            tenant_id=tenant.id, activation=activation, defaults=values
        )
        Lookup(digest=row.digest, tenant=tenant, purpose=PURPOSE).save(force_insert=True)
        _mail(Question(row, activation, tenant), settings.ORIGIN + reverse("activation_consent", args=[token]))
        _audit(activation, user.actor, "activation.consent_asked", email=masked(address_of(activation)))


def _mail(question: Question, address: str) -> None:
    names = question.companies
    words = {
        "question": question,
        "time_zone": time_zone_of(question.tenant.id),
        "address": address,
        "companies": names[:MOST_NAMED],
        "more": len(names) - MOST_NAMED if len(names) > MOST_NAMED else 0,
    }
    subject = " ".join(render_to_string("onboarding/mail/consent_subject.txt", words).split())
    message = TrackedMail(
        subject=subject, body=render_to_string("onboarding/mail/consent.txt", words), to=[question.email]
    )
    message.about = question.row.id
    message.send()


@contextmanager
def open_question(token: str) -> Iterator[Question | None]:
    """What the link asks, inside its tenant's scope; None where it cannot be answered (any more), whatever the reason."""
    digest = _digest(token)
    tenant_ids = Lookup.objects.filter(digest=digest, purpose=PURPOSE).values("tenant_id")
    tenant = Tenant.objects.filter(id__in=tenant_ids).exclude(state=TenantState.SUSPENDED).first()
    if tenant is None:
        yield None
        return
    with tenant_scope(tenant.id):
        rows = ActivationConsent.objects.filter(digest=digest, expires_at__gt=timezone.now())
        row = rows.filter(confirmed_at=None, declined_at=None).first()
        waiting = ActivationRequest.objects.without_sealed().filter(state=ActivationState.SHOWN)
        activation = waiting.filter(id=row.activation_id).first() if row is not None else None
        yield Question(row, activation, tenant) if row is not None and activation is not None else None


def answered_by(token: str, user: User) -> Question | None:
    """What this person answered by the link before; None, alike, for everybody but whom it was mailed to."""
    digest = _digest(token)
    tenant_ids = Lookup.objects.filter(digest=digest, purpose=PURPOSE).values("tenant_id")
    tenant = Tenant.objects.filter(id__in=tenant_ids).exclude(state=TenantState.SUSPENDED).first()
    if tenant is None:
        return None
    with tenant_scope(tenant.id):
        row = ActivationConsent.objects.filter(digest=digest).first()
        if row is None or row.confirmed_at is row.declined_at is None:
            return None
        requests = ActivationRequest.objects.without_sealed()
        activation = requests.filter(id=row.activation_id).first()
        if activation is None or not is_own(address_of(activation), user):
            return None
        return Question(row, activation, tenant)


def confirm(question: Question, actor: Actor) -> None:
    """They mean this tenant; its people decide now. Raises ActionRefused where the link was used meanwhile.

    `actor`: whose session it is, SYSTEM where nobody is signed in; whoever answers is known by their address alone.
    """
    _answer(question, actor, "confirmed_at", "activation.consent_confirmed")


def decline(question: Question, actor: Actor) -> None:
    """They do not: all companies are declined at the provider, and nothing is connected. Raises ActionRefused."""
    with transaction.atomic():
        _answer(question, actor, "declined_at", "activation.consent_declined")
        activation_requests.decide(activation=question.activation, approved=[], actor=actor)


def _answer(question: Question, actor: Actor, answered: str, action: str) -> None:
    with transaction.atomic():
        waiting = ActivationConsent.objects.filter(id=question.row.id, digest=question.row.digest)
        # Of two answers at the same moment the database lets one through.
        if not waiting.filter(confirmed_at=None, declined_at=None).update(**{answered: timezone.now()}):
            raise ActionRefused(_("This link has been used already."))
        # Its look-up stays: whoever answered may open the link again (`answered_by`).
        _audit(question.activation, actor, action, email=question.email)


def decide(*, activation: ActivationRequest, approved: Collection[str], tenant: Tenant, user: User) -> None:
    """A person's word about the companies, where whoever chose them is known to mean this tenant. Raises ActionRefused."""
    consent = consent_of(activation, user)
    if not consent.is_given:
        raise ActionRefused(_("The person who chose these companies has not confirmed that they are meant for you."))
    with transaction.atomic():
        if consent.state is ConsentState.OWN:
            ActivationConsent.objects.update_or_create(
                tenant_id=tenant.id,
                activation=activation,
                defaults={"asked_by": user.email, "confirmed_at": timezone.now(), "digest": ""},
            )
        activation_requests.decide(activation=activation, approved=approved, actor=user.actor)


def has_consent(activation: ActivationRequest) -> bool:
    """For the worker that is about to tell the provider; in the tenant's scope."""
    consents = ActivationConsent.objects.filter(activation=activation, declined_at=None)
    return consents.exclude(confirmed_at=None).exists()


def _forget(row: ActivationConsent) -> None:
    Lookup.objects.filter(digest=row.digest, purpose=PURPOSE).delete()


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _audit(activation: ActivationRequest, actor: Actor, action: str, **details: str) -> None:
    audit.record(tenant_id=activation.tenant_id, actor=actor, action=action, subject=str(activation.id), **details)
