"""The watch: what was proved once is asked again every night, so that a right that was taken away is seen before figures miss.

It costs as little as it can: each request once for all checkpoints that need it, no new token where a renewal would use one
up, and of a quota only the part that runs may use. Only what a provider says counts. Whatever passes by itself (no answer, a
quota that is used up, a provider in trouble) changes nothing, and is tried again later in the same night.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from connections.jobs.lease import LeaseLost, TenantLease
from connections.jobs.registry import Again
from connections.spec.checklist import Checkpoint, Finding, MarkState, Probe, ProbeAnswer
from connections.spec.errors import CallFailed, Unauthorized, Unavailable
from connections.spec.faults import Responsible
from connections.spec.grants import AuthorizationCode
from connections.spec.operations import Arguments
from connections.spec.streams import BadPage
from connections.sync import faults
from connections.tenancy.models import TenantState
from connections.tenancy.settings import time_zone_of
from connections.vault.models import Connection, ConnectionState
from portal.incidents import outages
from portal.incidents.lifecycle import Cause, Sighting, note_trouble
from portal.incidents.models import Evident, Incident
from portal.onboarding import diagnosis
from portal.onboarding.marks import marks_of, missing, provider_of
from portal.onboarding.models import Evidence, Mark, Onboarding
from portal.onboarding.probing import UNREADABLE, ConnectionAsker, record_finding
from portal.onboarding.watch_plan import TOO_SOON, is_night, next_look

logger = logging.getLogger(__name__)

PAUSE = timedelta(hours=1)  # before who could not be asked is asked again


class WatchAsker(ConnectionAsker):
    """Asks like any check, but each request once for the whole look, and without a token that nobody else needs."""

    def __init__(self, connection: Connection, checkpoint: str, answers: dict[str, ProbeAnswer]) -> None:
        super().__init__(connection, checkpoint, is_batch=True)
        self.answers = answers

    def ask(self, operation: str, arguments: Arguments | None = None) -> ProbeAnswer:
        key = f"{operation} {arguments!r}"
        if key not in self.answers:
            self.answers[key] = super().ask(operation, arguments)
        answer = self.answers[key]
        self.entry_id, self.provider_request_id = answer.entry_id, answer.provider_request_id
        return answer

    def fresh_token(self) -> None:
        """Where a person's consent is renewed by a token that works once, the session that there is has to do."""
        if self.answers or isinstance(
            provider_of(self.connection).grant(self.connection.auth_method), AuthorizationCode
        ):
            return
        super().fresh_token()


@dataclass
class Look:
    """One look at one connection, as it stood when it began."""

    connection: Connection
    marks: dict[str, Mark]
    time_zone: str
    answers: dict[str, ProbeAnswer]

    @property
    def turn(self) -> datetime:
        """When the next one is due."""
        return next_look(self.connection, self.time_zone, timezone.now())

    def later(self, failed: CallFailed) -> Again:
        """When to go on after something that passes by itself: in this night still, else in the next one."""
        at = timezone.now() + PAUSE
        if isinstance(failed, Unavailable):
            at = max(at, failed.retry_at)
        if failed.asked_again_at is not None:
            at = max(at, failed.asked_again_at)
        is_tonight = at < self.turn and is_night(self.time_zone, at)
        return Again(at if is_tonight else self.turn, failed.fault.code)

    def checkpoints(self) -> list[Checkpoint]:
        """What is asked, each after what it needs: all that a probe can judge, has been judged once, and is not being
        asked by somebody else just now.
        """
        declared = provider_of(self.connection).checkpoints(self.connection.auth_method)
        by_slug = {each.slug: each for each in declared}

        def depth(checkpoint: Checkpoint) -> int:
            return 1 + max((depth(by_slug[slug]) for slug in checkpoint.needs if slug in by_slug), default=0)

        judged = [each for each in declared if isinstance(each.proof, Probe) and _is_judged(self.marks[each.slug])]
        return sorted(judged, key=depth)


def _is_judged(mark: Mark) -> bool:
    is_asked = mark.asked_at is not None and (mark.checked_at is None or mark.checked_at < mark.asked_at)
    return MarkState(mark.state) not in (MarkState.OPEN, MarkState.WAIVED) and not is_asked


def watch(lease: TenantLease) -> Again | None:
    """Job: ask again what was proved of one live connection. Whoever wakes it too early only makes it wait on."""
    with lease.scope():
        look = _begin(lease)
        if isinstance(look, Again) or look is None:
            return look
    for checkpoint in look.checkpoints():
        if lease.is_lost:
            raise LeaseLost(str(lease.job_id))
        if (stop := _ask(lease, look, checkpoint)) is not None:
            return stop
    with lease.scope():
        return _end(look)


def _begin(lease: TenantLease) -> Look | Again | None:
    """What is to be looked at; an Again while it must not be, None where nothing ever is."""
    connection = Connection.objects.select_related("tenant").filter(id=lease.subject).first()
    onboarding = Onboarding.objects.select_related("connection__tenant").filter(connection_id=lease.subject).first()
    if connection is None or onboarding is None or not connection.is_standing:
        return None  # the end of its next run plans the next look
    if not provider_of(connection).offers(connection.auth_method):
        return None
    onboarding.connection = connection
    look = Look(connection, marks_of(onboarding), time_zone_of(connection.tenant_id), {})
    if onboarding.watched_at and onboarding.watched_at > timezone.now() - TOO_SOON:
        return Again(look.turn, "looked at lately")
    if connection.tenant.state != TenantState.ACTIVE:
        return Again(look.turn, "the tenant is not active")
    if connection.fault in faults.COMPANY_FAULTS:
        return Again(look.turn, "the company is in doubt")
    if outages.is_under_way(connection):
        return Again(look.turn, "the provider has an outage")
    return look


def _end(look: Look) -> Again:
    Onboarding.objects.filter(connection=look.connection).update(watched_at=timezone.now())
    return Again(look.turn, "looked at")


def _ask(lease: TenantLease, look: Look, checkpoint: Checkpoint) -> Again | None:
    """Ask for one checkpoint and write down what is news. An Again ends the look."""
    mark = look.marks[checkpoint.slug]
    with lease.scope():
        needed = [look.marks[slug] for slug in checkpoint.needs if slug in look.marks]
        if missing(look.connection, checkpoint) or not all(MarkState(each.state).is_proved for each in needed):
            return None
    proof = checkpoint.proof
    asker = WatchAsker(look.connection, checkpoint.slug, look.answers)
    finding: Finding | None = None
    refusal: CallFailed | None = None
    try:
        finding = proof.run(asker) if isinstance(proof, Probe) else None
    except CallFailed as failed:
        refusal = failed
    except BadPage:
        logger.warning("the watch could not read an answer: connection %s, %s", look.connection.id, checkpoint.slug)
    with lease.scope():
        asker.client.write_pending()
        if _has_changed(look.connection):
            return Again(look.turn, "the connection was changed meanwhile")
        if refusal is not None:
            return _note_refusal(look, mark, refusal)
        if finding is None:
            _note_ours(look.connection, UNREADABLE, checkpoint.slug, asker)
        elif not _is_known(mark, finding, look.connection):
            record_finding(mark, look.marks, checkpoint, finding, asker)
        else:
            Mark.objects.filter(id=mark.id, asked_at=mark.asked_at).update(checked_at=timezone.now())
        if "bound_id" in (finding.values if finding else {}):
            return _end(look)  # whose books these are is in doubt: nothing more is asked
    return None


def _has_changed(connection: Connection) -> bool:
    """Somebody has paused it, left it, or changed its access while we asked: what we heard says nothing of it any more."""
    now = Connection.objects.only("state", "fault", "settings", "auth_method").get(id=connection.id)
    return not now.is_standing or now.settings != connection.settings or now.fault in faults.COMPANY_FAULTS


def _note_refusal(look: Look, mark: Mark, failed: CallFailed) -> Again | None:
    """A refusal in the provider's own word reopens the checkpoint that it names, and no other."""
    if isinstance(failed, Unavailable) or failed.asked_again_at is not None:
        return look.later(failed)
    fault = failed.fault
    blamed = look.marks.get(fault.checkpoint)
    if blamed is not None and fault.responsible is Responsible.CUSTOMER:
        if blamed.state != MarkState.FAILING:
            diagnosis.fail_mark(mark=blamed, failed=failed)
    elif fault.responsible is Responsible.US:
        cause = Cause(fault.code, Responsible.US, mark.checkpoint)
        note_trouble(connection=look.connection, cause=cause, sighting=Sighting(Evident.CHECK, failed.entry_id))
    # Without access nothing else can be asked; a single refusal says nothing of the others.
    return _end(look) if isinstance(failed, Unauthorized) else None


def _note_ours(connection: Connection, code: str, checkpoint: str, asker: ConnectionAsker) -> None:
    """An answer that we cannot read is ours to look into; the mark stays what it was."""
    cause = Cause(code, Responsible.US, checkpoint)
    note_trouble(connection=connection, cause=cause, sighting=Sighting(Evident.CHECK, asker.entry_id))


def _is_known(mark: Mark, finding: Finding, connection: Connection) -> bool:
    """Whether it says what stands there already, of a connection at which nothing is to be healed."""
    if mark.state != finding.state or connection.state != ConnectionState.CONNECTED:
        return False
    newest = Evidence.objects.filter(mark=mark).values_list("code", "values").first()
    if newest != (finding.code, dict(finding.values)):
        return False
    open_there = Incident.objects.filter(connection=connection, checkpoint=mark.checkpoint, closed_at=None)
    return not finding.state.passes or not open_there.exists()
