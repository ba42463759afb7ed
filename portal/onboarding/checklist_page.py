"""Everything the checklist's page shows, gathered with a fixed number of queries, and a fingerprint of it for polling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from connections.spec.checklist import Inference, LogProbe, MarkState, Probe
from connections.spec.grants import AuthorizationCode, Login
from connections.spec.provider import CredentialField
from connections.sync import faults
from connections.sync.counts import runs_with_counts
from connections.sync.models import CONCLUDING_TIME, SyncRun
from connections.transport.models import AttemptState, AuthorizationAttempt
from connections.vault.models import ClientRegistration, Connection, Credential, Grant, Pin
from portal.incidents.forecast import Forecast, announced_changes
from portal.members.mailing import Delivery, deliveries_of
from portal.members.polling import fingerprint_of
from portal.onboarding.handoffs import is_fit, newest
from portal.onboarding.marks import provider_of
from portal.onboarding.models import Handoff, Mark, Onboarding
from portal.onboarding.progress import ChecklistStep, Progress, progress
from portal.onboarding.twins import twin_of
from portal.onboarding.waivers import LONGEST_REASON, can_be_waived

SLOW = timedelta(seconds=20)


@dataclass(frozen=True)
class FirstRun:
    """The run that answers the last checkpoint, while it is read and afterwards."""

    run: SyncRun
    seen: int
    expected: int | None

    @property
    def is_active(self) -> bool:
        return self.run.is_active


@dataclass(frozen=True)
class ChecklistPage:
    """One checklist with one checkpoint open."""

    progress: Progress
    open_step: ChecklistStep | None
    pins: list[Pin]  # of the open checkpoint, where certificates are confirmed
    credentials: dict[str, Credential]  # names, hints and times; the web process can read no more
    our_client_id: str
    latest_run: FirstRun | None
    attempt: AuthorizationAttempt | None  # the latest login that came back from the provider
    has_access: bool  # the provider gave us a session once, so that a login's checkpoint can be asked anew
    asked_again_at: datetime | None  # while a check waits because its credential was refused just now
    handoff: Handoff | None  # the newest of the open checkpoint
    handoff_delivery: Delivery | None  # what became of its mail
    twin: Connection | None = None  # another one to the company that waits to be confirmed

    @property
    def connection(self) -> Connection:
        return self.progress.connection

    @property
    def coming(self) -> list[Forecast]:
        """Steps that the provider has announced: they are none of today's list."""
        return [] if self.progress.is_withdrawn else announced_changes(self.connection)

    @property
    def pending(self) -> list[ChecklistStep]:
        return [step for step in self.progress.steps if step.is_pending]

    @property
    def should_poll(self) -> bool:
        """Something is under way whose end the page should show by itself."""
        if self.connection.is_disconnected:
            return False
        return (
            bool(self.pending)
            or self.is_exchanging
            or bool(self.latest_run and self.latest_run.run.is_active_or_just_ended)
        )

    @property
    def pace(self) -> str:
        """How often the page asks for news."""
        return "5s" if self.asked_again_at else "700ms"

    @property
    def is_company_in_doubt(self) -> bool:
        """Nothing is read until the company is proved, or an owner says that it is still the same."""
        return self.connection.fault in faults.COMPANY_FAULTS

    @property
    def is_exchanging(self) -> bool:
        """Somebody is back from the provider, and what came of it does not stand on its checkpoint yet."""
        if self.attempt is None or self.attempt.state == AttemptState.RECEIVED:
            return self.attempt is not None
        ended_at = self.attempt.ended_at
        if ended_at is None or ended_at < timezone.now() - CONCLUDING_TIME:
            return False
        marks = [step.mark for step in self.progress.steps if step.checkpoint.slug == self.attempt.checkpoint]
        return not any(at and at >= ended_at for mark in marks for at in (mark.asked_at, mark.checked_at))

    @property
    def shows_exchange(self) -> bool:
        """The open checkpoint is the one that was signed in for."""
        if self.open_step is None or self.attempt is None:
            return False
        return self.is_exchanging and self.attempt.checkpoint == self.open_step.checkpoint.slug

    @property
    def is_slow(self) -> bool:
        late = timezone.now() - SLOW
        return any(step.mark.asked_at and step.mark.asked_at < late for step in self.pending)

    @property
    def fields(self) -> list[CredentialField]:
        """What is typed in at the open checkpoint."""
        return (
            [self.progress.provider.field(name) for name in self.open_step.checkpoint.fields] if self.open_step else []
        )

    @property
    def logins(self) -> list[Login]:
        """The login pages at the provider that can be started at the open checkpoint."""
        names = self.open_step.checkpoint.connect if self.open_step else ()
        logins = [self.progress.provider.login(name) for name in names]
        return [
            login
            for login in logins
            if not isinstance(login, AuthorizationCode) or login.name == self.connection.auth_method
        ]

    @property
    def stored(self) -> list[tuple[CredentialField, Credential]]:
        """The secrets of the open checkpoint that are stored."""
        return [(field, self.credentials[field.name]) for field in self.fields if field.name in self.credentials]

    @property
    def may_hand_off(self) -> bool:
        """Whether somebody else can be asked to do the open checkpoint, or was."""
        if self.open_step is None or self.connection.is_disconnected:
            return False
        if not is_fit(self.progress.provider, self.open_step.checkpoint):
            return False
        return self.handoff is not None or not self.open_step.is_done

    longest_reason = LONGEST_REASON

    @property
    def may_waive(self) -> bool:
        """Whether an owner can say that the open checkpoint is not needed."""
        if self.open_step is None or self.connection.is_disconnected or self.open_step.is_done:
            return False
        return can_be_waived(self.open_step.checkpoint)

    @property
    def awaits_pins(self) -> bool:
        """Certificates wait for the word of whoever compared them."""
        return bool(self.waiting_pins)

    @property
    def waiting_pins(self) -> list[Pin]:
        return [pin for pin in self.pins if pin.confirmed_at is None]

    @property
    def proving(self) -> ChecklistStep | None:
        """The checkpoint whose probe answers for the open one: itself, or the one it is inferred from."""
        if self.open_step is None:
            return None
        proof = self.open_step.checkpoint.proof
        if isinstance(proof, Inference):
            return next(step for step in self.progress.steps if step.checkpoint.slug == proof.follows)
        return self.open_step if isinstance(proof, Probe) else None

    @property
    def is_asking(self) -> bool:
        """The open checkpoint's answer is awaited."""
        return self.shows_exchange or (self.proving is not None and self.proving.is_pending)

    @property
    def can_check(self) -> bool:
        """Whether asking once more can change what stands here."""
        step = self.proving
        if step is None or not step.can_check or step.is_pending or self.is_exchanging:
            return False
        if step is not self.open_step and step.state is MarkState.FAILING:
            return False  # what would prove it must be put right itself, before it proves anything
        if _is_login(step) and not self.has_access:
            return False  # nobody has signed in there, or it came to nothing: there is nothing to ask with
        return not self.not_entered(step)

    def not_entered(self, step: ChecklistStep) -> list[CredentialField]:
        """What must be entered at this checkpoint before it can be asked."""
        entered_names = {
            *self.credentials,
            *(name for name, value in self.connection.settings.items() if value.strip()),
        }
        fields = [self.progress.provider.field(name) for name in step.checkpoint.fields]
        return [field for field in fields if not field.optional and field.name not in entered_names]

    @property
    def pressed_at(self) -> ChecklistStep | None:
        """Where the press is that can change what stands here: at the checkpoint whose proof is asked for, or at the
        first one that must pass before that.
        """
        step = self.proving
        while step is not None and step.is_locked:
            needed = [each for each in self.progress.steps if each.checkpoint.slug in step.checkpoint.needs]
            step = next((each for each in needed if not each.state.is_proved), None)
        return step

    @property
    def shows_run(self) -> bool:
        return self.open_step is not None and isinstance(self.open_step.checkpoint.proof, LogProbe)

    @property
    def waits_for(self) -> Sequence[ChecklistStep]:
        """What must pass before the open checkpoint can be checked."""
        if self.open_step is None or not self.open_step.is_locked:
            return []
        needs = self.open_step.checkpoint.needs
        return [step for step in self.progress.steps if step.checkpoint.slug in needs and not step.state.is_proved]

    @property
    def fingerprint(self) -> str:
        """Changes when anything on the page does."""
        parts = [self.connection.state, str(self.is_slow), str(self.should_poll), str(self.asked_again_at)]
        parts += [
            f"{step.checkpoint.slug} {step.state} {step.mark.asked_at} {step.mark.checked_at} {step.obstacle}"
            for step in self.progress.steps
        ]
        if self.latest_run is not None:
            parts.append(f"{self.latest_run.run.id} {self.latest_run.run.state} {self.latest_run.seen}")
        if self.handoff is not None:
            parts.append(
                f"{self.handoff.id} {self.handoff.opened_at} {self.handoff.is_open} {self.handoff.stopped_at}"
            )
        if self.attempt is not None:
            parts.append(f"{self.attempt.id} {self.attempt.state} {self.is_exchanging}")
        return fingerprint_of(*parts)


def for_checklist_page(onboardings: QuerySet[Onboarding]) -> QuerySet[Onboarding]:
    """With what the page needs of each: `our_client_id`, for the customer to paste at the provider ("" while none is
    registered), `has_access`, and `held_until`, while its credential is not sent because it was refused just now.
    """
    registration = ClientRegistration.objects.filter(
        provider=OuterRef("connection__provider"), environment=OuterRef("connection__environment")
    )
    grant = Grant.objects.filter(connection=OuterRef("connection_id"))
    issued = grant.filter(Q(issued_at__isnull=False) | Q(refresh_issued_at__isnull=False))
    return onboardings.select_related("connection").annotate(
        our_client_id=Coalesce(Subquery(registration.values("client_id")), Value("")),
        has_access=Exists(issued),
        held_until=Subquery(grant.filter(wait_until__gt=Now()).values("wait_until")),
    )


def onboarding_for_page(mark: Mark) -> Onboarding:
    """The onboarding that a mark belongs to, with what its page needs. One query, in the tenant's scope."""
    return for_checklist_page(Onboarding.objects.filter(id=mark.onboarding_id)).get()


def checklist_page(onboarding: Onboarding, open_slug: str = "") -> ChecklistPage:
    """The checklist with `open_slug` (a checkpoint's slug), or else the current one, open. Needs the tenant's scope, and an
    onboarding fetched `for_checklist_page`.

    Raises KeyError for a checkpoint the provider does not declare.
    """
    prefetched: Any = onboarding
    provider = provider_of(onboarding.connection)
    checklist_progress = progress(onboarding, provider)
    if open_slug:
        provider.checkpoint(open_slug, onboarding.connection.auth_method)
        open_step: ChecklistStep | None = next(
            step for step in checklist_progress.steps if step.checkpoint.slug == open_slug
        )
    else:
        open_step = checklist_progress.current
    handoff = newest(open_step.mark) if open_step is not None and is_fit(provider, open_step.checkpoint) else None
    return ChecklistPage(
        handoff=handoff,
        handoff_delivery=deliveries_of([handoff.id]).get(handoff.id) if handoff is not None else None,
        progress=checklist_progress,
        open_step=open_step,
        credentials={
            row.name: row
            for row in Credential.objects.for_connection(onboarding.connection).only(
                "id", "tenant_id", "name", "hint", "changed_at", "changed_by"
            )
        },
        our_client_id=prefetched.our_client_id,
        pins=list(Pin.objects.filter(connection=onboarding.connection).order_by("host", "seen_at"))
        if open_step and open_step.checkpoint.pins
        else [],
        latest_run=_latest_run(onboarding.connection),
        attempt=_latest_attempt(onboarding.connection)
        if any(step.checkpoint.connect for step in checklist_progress.steps)
        else None,
        has_access=prefetched.has_access if any(_is_login(step) for step in checklist_progress.steps) else True,
        asked_again_at=prefetched.held_until if any(step.is_pending for step in checklist_progress.steps) else None,
        twin=twin_of(onboarding.connection, open_step.evidence.values)
        if open_step and open_step.evidence and open_step.can_confirm
        else None,
    )


def _is_login(step: ChecklistStep) -> bool:
    """Signing in is all that can be done there: nothing is typed in."""
    return bool(step.checkpoint.connect) and not step.checkpoint.fields


def _latest_attempt(connection: Connection) -> AuthorizationAttempt | None:
    came_back = AuthorizationAttempt.objects.filter(connection=connection).exclude(state=AttemptState.STARTED)
    return came_back.without_sealed().order_by("-started_at").first()


def _latest_run(connection: Connection) -> FirstRun | None:
    runs = runs_with_counts().for_connection(connection)
    run = runs.order_by("-queued_at", "-id").first()
    return FirstRun(run, run.seen, run.expected) if run is not None else None
