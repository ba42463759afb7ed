"""Handing one checkpoint to somebody without an account: a link that works once, and a session that can do this one thing."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.http import urlsafe_base64_encode
from django.utils.translation import gettext_lazy as _

from connections.jobs.lease import TenantLease
from connections.jobs.registry import Again
from connections.jobs.services import enqueue
from connections.spec.checklist import Checkpoint, MarkState
from connections.spec.provider import FieldKind, Provider
from connections.tenancy import audit
from connections.tenancy.models import Lookup, Tenant, TenantState
from connections.tenancy.scope import Actor, tenant_scope, visitor_scope
from connections.tenancy.settings import time_zone_of
from connections.transport.models import AuthorizationAttempt
from connections.vault.models import Connection
from connections.vault.services import ActionRefused, refuse_disconnected
from portal.incidents import notices
from portal.incidents.kinds import MailKind
from portal.incidents.lasting import REMINDED_AFTER
from portal.incidents.recipients import members_wanting
from portal.members.mailing import TrackedMail
from portal.members.models import User
from portal.onboarding.marks import checkpoint_of, keep, provider_of
from portal.onboarding.models import Handoff, HandoffEnd, Mark

VALID_FOR = timedelta(days=7)
MOST_TRIES = 10  # things entered, and sign-ins begun
LINK, SESSION = "handoff", "handoff-session"  # purposes of look-ups
REMIND = "onboarding.remind_handoff"
SALT = "portal.onboarding.handoffs"


@dataclass(frozen=True)
class HandoffStep:
    """What somebody with the link may see: one checkpoint, and who asks for it."""

    handoff: Handoff
    tenant: Tenant

    @property
    def mark(self) -> Mark:
        return self.handoff.mark

    @property
    def connection(self) -> Connection:
        return self.mark.onboarding.connection

    @property
    def provider(self) -> Provider:
        return provider_of(self.connection)

    @property
    def checkpoint(self) -> Checkpoint:
        return checkpoint_of(self.mark)

    @property
    def actor(self) -> Actor:
        return Actor(None, self.handoff.visitor)


def is_fit(provider: Provider, checkpoint: Checkpoint) -> bool:
    """Whether it may be handed off: the provider declares it, and nobody says there which company, server or certificate."""
    kinds = [provider.field(name).kind for name in checkpoint.fields]
    return checkpoint.may_hand_off and not checkpoint.pins and FieldKind.ADDRESS not in kinds


# -- by a member -------------------------------------------------------------------------------------------------------


def give(*, mark: Mark, tenant: Tenant, email: str, user: User) -> Handoff:
    """Mail somebody the link to this checkpoint; a link that was given before ends. Needs the tenant's scope.

    Raises ActionRefused for a checkpoint that is done, or is not fit for it.
    """
    connection = mark.onboarding.connection
    refuse_disconnected(connection)
    if not is_fit(provider_of(connection), checkpoint_of(mark)):
        raise ActionRefused(_("This step cannot be given to somebody else: do it yourself."))
    if mark_passes(mark):
        raise ActionRefused(_("This step is done, so there is nothing to give."))
    keep(mark)
    now = timezone.now()
    with transaction.atomic():
        withdraw(mark=mark, actor=user.actor)
        handoff = Handoff(tenant=tenant, mark=mark, key=secrets.token_hex(8), email=email, given_by=user.email)
        handoff.giver_id, handoff.expires_at = user.pk, now + VALID_FOR
        handoff.digest = _digest(token_of(handoff))
        handoff.save(force_insert=True)
        Lookup(digest=handoff.digest, tenant=tenant, purpose=LINK).save(force_insert=True)
        _mail(HandoffStep(handoff, tenant), "handoff")
        enqueue(kind=REMIND, subject=handoff.id, tenant_id=tenant.id, due_at=now + REMINDED_AFTER[0])
        _audit(handoff, user.actor, "handoff.given", email=email, checkpoint=mark.checkpoint)
    return handoff


def withdraw(*, mark: Mark, actor: Actor) -> None:
    """End the hand-off of this checkpoint, if there is one: its link and the session it opened are void at once."""
    for handoff in Handoff.objects.filter(mark_id=mark.id, done_at=None, ended_at=None).select_related(
        "mark__onboarding"
    ):
        _end(handoff, HandoffEnd.WITHDRAWN)
        if handoff.is_open:
            _audit(handoff, actor, "handoff.withdrawn", email=handoff.email, checkpoint=mark.checkpoint)


def stop_reminders(*, mark: Mark, actor: Actor) -> None:
    """Nobody is reminded of this checkpoint's hand-off any more."""
    for handoff in Handoff.objects.open().filter(mark_id=mark.id, stopped_at=None).select_related("mark__onboarding"):
        _quiet(handoff, actor)


def newest(mark: Mark) -> Handoff | None:
    """What a member sees of a checkpoint's hand-off. One query, in the tenant's scope."""
    return Handoff.objects.filter(mark_id=mark.id).first()


def is_elsewhere(connection: Connection) -> bool:
    """Whether it is somebody else's turn, who is reminded instead of the member. In the tenant's scope."""
    return Handoff.objects.open().filter(mark__onboarding__connection_id=connection.id).exists()


def mark_passes(mark: Mark) -> bool:
    return MarkState(mark.state).passes


# -- by whoever has the link -------------------------------------------------------------------------------------------


@contextmanager
def open_link(token: str) -> Iterator[HandoffStep | None]:
    """What the link is for, in its tenant's scope; None where it cannot be used (any more), whatever the reason."""
    with _found(_digest(token), LINK, digest=_digest(token), opened_at=None) as step:
        yield step


@contextmanager
def open_session(key: str, secret: str) -> Iterator[HandoffStep | None]:
    """What this browser may do at this address, in the tenant's scope; None alike for everything else."""
    with _found(_digest(secret), SESSION, session_digest=_digest(secret), key=key) as step:
        yield step


@contextmanager
def _found(looked_up: str, purpose: str, **columns: object) -> Iterator[HandoffStep | None]:
    tenant_ids = Lookup.objects.filter(digest=looked_up, purpose=purpose).values("tenant_id")
    tenant = Tenant.objects.filter(id__in=tenant_ids, state=TenantState.ACTIVE).first()
    if tenant is None:
        yield None
        return
    with tenant_scope(tenant.id):
        rows = Handoff.objects.open().filter(**columns).select_related("mark__onboarding__connection")
        handoff = rows.first()
        step = HandoffStep(handoff, tenant) if handoff is not None else None
        if step is None or not _is_usable(step):
            yield None
            return
        with visitor_scope(step.handoff.visitor):
            yield step


def _is_usable(step: HandoffStep) -> bool:
    connection = step.connection
    declared = {each.slug: each for each in step.provider.checkpoints(connection.auth_method)}
    checkpoint = declared.get(step.mark.checkpoint)
    return not connection.is_disconnected and checkpoint is not None and is_fit(step.provider, checkpoint)


def begin_session(step: HandoffStep) -> str:
    """Somebody pressed the link: from now on only this browser may go on. Returns the secret of its cookie.

    Raises ActionRefused where it was pressed a moment ago.
    """
    secret = secrets.token_urlsafe(32)
    with transaction.atomic():
        unopened = Handoff.objects.open().filter(id=step.handoff.id, opened_at=None)
        # Of two presses at the same moment the database lets one through.
        if not unopened.update(opened_at=timezone.now(), session_digest=_digest(secret)):
            raise ActionRefused(_("This link has been used already."))
        Lookup(digest=_digest(secret), tenant=step.tenant, purpose=SESSION).save(force_insert=True)
        _audit(step.handoff, step.actor, "handoff.opened", checkpoint=step.mark.checkpoint)
    return secret


def spend_try(step: HandoffStep) -> bool:
    """Count one thing entered or one sign-in begun; False where there were too many, and the hand-off ends by it."""
    rows = Handoff.objects.open().filter(id=step.handoff.id)
    if rows.filter(tries__lt=MOST_TRIES).update(tries=F("tries") + 1):
        return True
    _end(step.handoff, HandoffEnd.TRIES)
    _audit(step.handoff, step.actor, "handoff.too_many_tries", checkpoint=step.mark.checkpoint)
    return False


def quiet(step: HandoffStep) -> None:
    """Whoever was asked wants no more reminders."""
    _quiet(step.handoff, step.actor)


def may_hold_session(cookies: Mapping[str, str]) -> bool:
    """Whether any cookie of a browser is one of ours, so that it is worth a look."""
    return any(name.startswith(cookie_name("")) for name in cookies)


def of_login(attempt: AuthorizationAttempt, cookies: Mapping[str, str]) -> HandoffStep | None:
    """The session in which this sign-in at a provider was begun, by the cookies of the browser that comes back. In the
    tenant's scope.
    """
    rows = Handoff.objects.open().filter(
        mark__onboarding__connection_id=attempt.connection_id, mark__checkpoint=attempt.checkpoint
    )
    handoff = rows.exclude(session_digest="").select_related("tenant", "mark__onboarding__connection").first()
    secret = cookies.get(cookie_name(handoff.key), "") if handoff is not None else ""
    if handoff is None or not constant_time_compare(_digest(secret), handoff.session_digest):
        return None
    step = HandoffStep(handoff, handoff.tenant)
    return step if _is_usable(step) else None


def cookie_name(key: str) -> str:
    """One for each hand-off. Where there is TLS, no neighbour of our host can set it."""
    return f"{'__Host-' if settings.SESSION_COOKIE_SECURE else ''}handoff-{key}"


# -- by workers --------------------------------------------------------------------------------------------------------


def remind(lease: TenantLease) -> Again | None:
    """Job: whoever was asked is reminded after 1, 3 and 5 days, as long as it is their turn and nobody stopped it."""
    now = timezone.now()
    with lease.scope():
        rows = Handoff.objects.open().filter(id=lease.subject, stopped_at=None)
        handoff = rows.select_related("tenant", "mark__onboarding__connection").first()
        if handoff is None or handoff.tenant.state != TenantState.ACTIVE:
            return None
        step = HandoffStep(handoff, handoff.tenant)
        if not _is_usable(step) or mark_passes(step.mark):
            return None
        passed = sum(now >= handoff.given_at + after for after in REMINDED_AFTER)
        if passed > handoff.reminders:
            Handoff.objects.filter(id=handoff.id).update(reminders=passed)
            _mail(step, "handoff_reminder")
        following = REMINDED_AFTER[passed:]
    return Again(handoff.given_at + following[0], "not done yet") if following else None


def handoff_done(lease: TenantLease) -> None:
    """Job: it is the member's turn again who gave it away."""
    with lease.scope():
        handoffs = Handoff.objects.exclude(done_at=None).exclude(opened_at=None)
        handoff = handoffs.select_related("mark__onboarding__connection").filter(id=lease.subject).first()
        if handoff is None or handoff.giver_id is None:
            return
        givers = members_wanting(handoff.tenant_id, MailKind.WAITS, [handoff.giver_id])
        connection = handoff.mark.onboarding.connection
        notices.tell(connection=connection, kind=MailKind.WAITS, about=handoff.id, members=givers)


def mail_words(about: UUID) -> dict[str, str]:
    """What a mail about a hand-off that is done says; empty where it is about something else. In the tenant's scope."""
    handoff = Handoff.objects.filter(id=about).select_related("mark__onboarding__connection").first()
    return {} if handoff is None else {"done_by": handoff.email, "step": str(checkpoint_of(handoff.mark).title)}


# ----------------------------------------------------------------------------------------------------------------------


def token_of(handoff: Handoff) -> str:
    """The link's token. Made of the row's id and our key, so that a reminder repeats it and no row holds it."""
    return urlsafe_base64_encode(salted_hmac(SALT, handoff.id.hex, algorithm="sha256").digest())


def _mail(step: HandoffStep, template: str) -> None:
    handoff = step.handoff
    if handoff.opened_at is None:
        address = settings.ORIGIN + reverse("handoff_link", args=[token_of(handoff)])
    else:
        address = settings.ORIGIN + reverse("handoff", args=[handoff.key])
    words = {"step": step, "handoff": handoff, "address": address, "time_zone": time_zone_of(step.tenant.id)}
    subject = " ".join(render_to_string(f"onboarding/mail/{template}_subject.txt", words).split())
    body = render_to_string(f"onboarding/mail/{template}.txt", words)
    mail = TrackedMail(subject=subject, body=body, to=[handoff.email])
    mail.about = handoff.id
    mail.send()


def _end(handoff: Handoff, reason: HandoffEnd) -> None:
    unended = Handoff.objects.filter(id=handoff.id, done_at=None, ended_at=None)
    unended.update(ended_at=timezone.now(), end_reason=reason)
    digests = [digest for digest in (handoff.digest, handoff.session_digest) if digest]
    Lookup.objects.filter(digest__in=digests, purpose__in=(LINK, SESSION)).delete()


def _quiet(handoff: Handoff, actor: Actor) -> None:
    if Handoff.objects.filter(id=handoff.id, stopped_at=None).update(stopped_at=timezone.now()):
        _audit(handoff, actor, "handoff.reminders_stopped", checkpoint=handoff.mark.checkpoint)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _audit(handoff: Handoff, actor: Actor, action: str, **details: str) -> None:
    connection_id = handoff.mark.onboarding.connection_id
    audit.record(
        tenant_id=handoff.tenant_id,
        actor=actor,
        action=action,
        subject=str(connection_id),
        handoff=str(handoff.id),
        **details,
    )
