"""Checks a checkpoint by asking: the provider, our own log, or what another proof implies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from connections.jobs.lease import TenantLease
from connections.jobs.registry import Again
from connections.spec.checklist import Checkpoint, Finding, LogProbe, MarkState, Probe, ProbeAnswer, SeenCertificate
from connections.spec.errors import CallFailed, Unavailable
from connections.spec.faults import Responsible
from connections.spec.operations import Arguments
from connections.spec.proofs import MEANT
from connections.spec.streams import BadPage
from connections.sync import faults
from connections.sync.models import Record, RunState, StreamCursor, SyncRun, Trigger
from connections.sync.schedule import chosen_streams, schedule_of
from connections.sync.services import start_run
from connections.tenancy.scope import SYSTEM, tenant_scope
from connections.transport import faults as transport_faults
from connections.transport.client import Client
from connections.transport.models import AttemptState, AuthorizationAttempt
from connections.transport.oauth.authorization import VALID_FOR
from connections.vault.models import Connection, ConnectionState, Grant
from connections.vault.services import mark_broken, mark_healthy
from portal.incidents.lifecycle import Cause, Sighting, close_by_check, note_trouble
from portal.incidents.models import Evident
from portal.notices.owners import mail_owners
from portal.onboarding import diagnosis
from portal.onboarding.marks import (
    CheckpointResult,
    append,
    ask_waiting,
    checkpoint_of,
    complete,
    infer,
    inferred_from,
    marks_of,
    missing,
    provider_of,
    record,
)
from portal.onboarding.models import Evidence, EvidenceQuerySet, Mark
from portal.onboarding.progress import sentence

UNREADABLE = "unreadable-answer"
NO_WORD = "no-word-now"
PATIENCE = timedelta(minutes=2)  # of a check whose provider does not answer at the moment
PAUSE = timedelta(seconds=5)
# Of trouble that passes, what people may do something about: it is not told as "no answer".
TELLING = (transport_faults.NOT_ENCRYPTED.code, transport_faults.TURNED_AWAY.code)
PAUSE_OF_LOOKS = timedelta(seconds=20)  # at certificates, which no breaker holds back


class ConnectionAsker:
    """What a probe may do, on a real connection. Remembers the last request for the evidence."""

    def __init__(self, connection: Connection, checkpoint: str, *, is_batch: bool = False) -> None:
        self.connection, self.checkpoint = connection, checkpoint
        self.client = Client(connection=connection, checkpoint=checkpoint, is_batch=is_batch)
        self.company_id, self.company_name = connection.company_id, connection.company_name
        self.company_confirmed = connection.state != ConnectionState.SETUP
        self.company_unproven = connection.fault in faults.COMPANY_FAULTS
        self.held_since = connection.fault_at
        self.auth_method = connection.auth_method
        self.settings: Mapping[str, str] = connection.settings
        self.entry_id: UUID | None = None
        self.provider_request_id = ""

    @property
    def streams_wanted(self) -> Sequence[str]:
        """The streams that are read by the connection's schedule: rights are asked for these alone."""
        with tenant_scope(self.connection.tenant_id):
            return [stream.name for stream in chosen_streams(self.connection, schedule_of(self.connection))]

    @property
    def scope(self) -> str:
        with tenant_scope(self.connection.tenant_id):
            grants = Grant.objects.for_connection(self.connection)
            return grants.values_list("scope", flat=True).first() or ""

    @property
    def confirmed(self) -> Mapping[str, str]:
        with tenant_scope(self.connection.tenant_id):
            confirmations = self._proofs.exclude(actor_name="")
            return confirmations.order_by("at", "id").values_list("values", flat=True).last() or {}

    @property
    def seen(self) -> Mapping[str, str]:
        with tenant_scope(self.connection.tenant_id):
            findings = self._proofs.with_findings()
            return findings.order_by("at", "id").values_list("values", flat=True).last() or {}

    @property
    def _proofs(self) -> EvidenceQuerySet:
        marks = {"mark__onboarding__connection_id": self.connection.id, "mark__checkpoint": self.checkpoint}
        return Evidence.objects.filter(state=MarkState.VERIFIED, **marks)

    def ask(self, operation: str, arguments: Arguments | None = None) -> ProbeAnswer:
        reply = self.client.send(operation, arguments or Arguments())
        self.entry_id, self.provider_request_id = reply.entry_id, reply.provider_request_id
        return ProbeAnswer(reply.body, reply.entry_id, reply.provider_request_id)

    def certificates(self) -> Sequence[SeenCertificate]:
        return self.client.certificates()

    def count_known(self, stream: str, ids: Sequence[str]) -> tuple[int, int]:
        with tenant_scope(self.connection.tenant_id):
            cursor = StreamCursor.objects.for_connection(self.connection).filter(stream=stream)
            total = cursor.values_list("records", flat=True).first() or 0
            ours = Record.objects.for_connection(self.connection).filter(stream=stream, external_id__in=ids)
            return total, ours.count()

    def fresh_token(self) -> None:
        if not self.client.has_new_consent:
            self.client.new_token()

    def last_sync_succeeded(self) -> bool | None:
        with tenant_scope(self.connection.tenant_id):
            ended = (RunState.SUCCEEDED, RunState.INCOMPLETE, RunState.FAILED)
            state = (
                SyncRun.objects.for_connection(self.connection)
                .filter(state__in=ended)
                .order_by("-queued_at")
                .values_list("state", flat=True)
                .first()
            )
        return None if state is None else state == RunState.SUCCEEDED


def check(lease: TenantLease) -> Again | None:
    """Job: probe one checkpoint and write the finding. Probes run outside any transaction.

    What passes by itself is asked again for a while, as its sentence says, before it becomes the finding.
    """
    with lease.scope():
        mark = Mark.objects.select_related("onboarding__connection").filter(id=lease.subject).first()
        if mark is None:
            return None
        marks = marks_of(mark.onboarding)
        if mark.checkpoint not in marks:
            return None  # a release has withdrawn it since it was asked for
        connection = mark.onboarding.connection
        checkpoint = checkpoint_of(mark)
        waiting_for = [slug for slug in checkpoint.needs if not MarkState(marks[slug].state).is_proved]
        waiting_for += [field.name for field in missing(connection, checkpoint)]
    if connection.is_disconnected or waiting_for or not isinstance(checkpoint.proof, Probe | LogProbe):
        with lease.scope():
            # What was found since it was asked for, by whatever else, stays its last word.
            is_open = mark.asked_at and (mark.checked_at is None or mark.checked_at < mark.asked_at)
            if is_open and Evidence.objects.filter(mark=mark, at__gte=mark.asked_at).exists():
                # It was being asked again, and is not any more.
                record(mark=mark, result=CheckpointResult(_keep(mark), NO_WORD))
            Mark.objects.filter(id=mark.id).update(checked_at=mark.asked_at)
        return None
    asker = ConnectionAsker(connection, checkpoint.slug)
    try:
        finding = checkpoint.proof.run(asker)
    except CallFailed as failed:
        return _refused(lease, mark, marks, asker, failed)
    except BadPage:
        finding = Finding(_keep(mark), UNREADABLE)
    with lease.scope():
        asker.client.write_pending()
        if (again := _outdated(asker)) is not None:
            return again
        record_finding(mark, marks, checkpoint, finding, asker)
    return None


def _outdated(asker: ConnectionAsker) -> Again | None:
    """When to look once more, where reading is held and what was asked with is not what would be read with from now on.

    An answer that the old access got says nothing of the company that the new one opens.
    """
    connection = Connection.objects.get(id=asker.connection.id)
    if connection.fault not in faults.COMPANY_FAULTS:
        return None
    now = timezone.now()
    newest = Grant.objects.for_connection(connection).values_list("generation", flat=True).first()
    under_way = AuthorizationAttempt.objects.filter(connection=connection, state=AttemptState.RECEIVED)
    if under_way.filter(consumed_at__gt=now - VALID_FOR).exists():
        return Again(now + PAUSE, "a login is being carried out")
    if connection.fault_at != asker.held_since or asker.client.generation not in (None, newest):
        return Again(reason="the access was changed meanwhile")
    return None


def _keep(mark: Mark) -> MarkState:
    """The state of a mark that could not be judged: what it was."""
    return MarkState(mark.state)


def record_finding(
    mark: Mark, marks: dict[str, Mark], checkpoint: Checkpoint, finding: Finding, asker: ConnectionAsker
) -> None:
    """Write down what a probe found, and all that follows: the mark, incidents, what is healed by it, whom to tell.

    In a worker, in the tenant's scope. `marks`: those of the whole checklist.
    """
    connection = asker.connection
    if mark.state == MarkState.WAIVED and not finding.state.passes:
        # Somebody decided that it is not needed: what a check finds wrong says nothing new, and nobody need act.
        Mark.objects.filter(id=mark.id).update(checked_at=timezone.now())
        close_by_check(
            connection=connection, checkpoints=[mark.checkpoint], entry_id=asker.entry_id, proves_company=False
        )
        return
    had_passed = MarkState(mark.state).passes
    result = CheckpointResult(
        finding.state,
        finding.code,
        finding.values,
        entry_id=asker.entry_id,
        provider_request_id=asker.provider_request_id,
    )
    record(mark=mark, result=result)
    marks[mark.checkpoint] = mark
    connection.refresh_from_db()
    is_held = connection.fault in faults.COMPANY_FAULTS
    if connection.state == ConnectionState.SETUP and finding.values.get("company_id") == connection.company_id:
        # Bound by its number alone, as an activation does: now its name is known, and every page can say it.
        Connection.objects.filter(id=connection.id).update(company_name=finding.values["company"][:200])
    if not finding.state.passes:
        _note_finding(connection, mark, finding, asker, had_passed=had_passed)
        if "bound_id" in finding.values:
            mark_broken(connection=connection, fault=faults.OTHER_COMPANY.code)
            _tell_owners(connection, mark, finding, is_news=connection.fault != faults.OTHER_COMPANY.code)
        elif is_held and finding.code in MEANT:
            mark_broken(connection=connection, fault=faults.COMPANY_UNPROVEN.code)
            before = Evidence.objects.filter(mark=mark, code=finding.code, at__gte=connection.fault_at)
            _tell_owners(connection, mark, finding, is_news=before.count() == 1)
        return
    if finding.state is MarkState.VERIFIED:
        infer(of=connection, verified=mark, marks=marks, result=result)
    fault = faults.resolve_fault(provider=connection.provider, code=connection.fault)
    opens_again = checkpoint.opens or (fault is not None and fault.checkpoint == checkpoint.slug)
    if finding.proves_company if is_held else opens_again:
        _mended(connection)
    if finding.state is MarkState.VERIFIED:
        close_by_check(
            connection=connection,
            checkpoints=[mark.checkpoint, *inferred_from(connection, mark.checkpoint)],
            entry_id=asker.entry_id,
            proves_company=finding.proves_company,
        )
    ask_waiting(slug=checkpoint.slug, marks=marks)
    complete(marks)


def _note_finding(
    connection: Connection, mark: Mark, finding: Finding, asker: ConnectionAsker, *, had_passed: bool
) -> None:
    """What a check shows of a connection that stands is an incident; of its company, owners are told by a mail of its own.

    So is what had passed and waits for a person's word now: another user, rights that were added.
    """
    sighting = Sighting(Evident.CHECK, entry_id=asker.entry_id)
    cause = Cause(finding.code, Responsible.CUSTOMER, mark.checkpoint, dict(finding.values))
    if "bound_id" in finding.values:
        cause = replace(cause, code=faults.OTHER_COMPANY.code)
    elif connection.fault in faults.COMPANY_FAULTS and finding.code in MEANT:
        cause = replace(cause, code=faults.COMPANY_UNPROVEN.code)
    elif finding.state is not MarkState.FAILING and not had_passed:
        return
    is_held = cause.code in faults.COMPANY_FAULTS
    note_trouble(connection=connection, cause=cause, sighting=sighting, is_told_elsewhere=is_held)


def _tell_owners(connection: Connection, mark: Mark, finding: Finding, *, is_news: bool) -> None:
    """Reading is held for the company's sake, and only people can put it right: they are told by mail, once."""
    if not is_news or not connection.is_standing:
        return
    provider = provider_of(connection)
    page = reverse("checkpoint", args=[connection.tenant.slug, connection.id, mark.checkpoint])
    words = {
        "connection": connection,
        "provider": provider,
        "sentence": sentence(provider, finding.code, dict(finding.values)),
        "address": settings.ORIGIN + page,
    }
    mail_owners(tenant_id=connection.tenant_id, template="onboarding/mail/reading_held", words=words)


def _mended(connection: Connection) -> None:
    """The credential works again: a connection that stood before goes on by itself, with its records and history.

    One that is paused goes on when somebody resumes it.
    """
    if connection.is_paused:
        mark_healthy(connection=connection)
    elif connection.state == ConnectionState.BROKEN:
        mark_healthy(connection=connection)
        connection.refresh_from_db(fields=["state"])
        start_run(connection=connection, trigger=Trigger.MENDED, actor=SYSTEM)


def _refused(
    lease: TenantLease, mark: Mark, marks: dict[str, Mark], asker: ConnectionAsker, failed: CallFailed
) -> Again | None:
    """A refused probe fails the checkpoint its fault names, which need not be the one that was asked about."""
    # Not this checkpoint's fault, or nobody's: it stays what it was, and says why it could not be checked.
    unchanged_result = CheckpointResult(
        _keep(mark), failed.fault.code, entry_id=failed.entry_id, provider_request_id=failed.provider_request_id
    )
    with lease.scope():
        asker.client.write_pending()
        if (again := _again(mark, failed)) is not None:
            is_said = (
                failed.asked_again_at is not None
                or Evidence.objects.filter(mark=mark, at__gte=mark.asked_at, code=unchanged_result.code).exists()
            )
            if not is_said:
                append(mark=mark, result=unchanged_result)
            return again
        blamed = marks.get(failed.fault.checkpoint)
        blames_customer = failed.fault.responsible is Responsible.CUSTOMER and not isinstance(failed, Unavailable)
        if blamed is not None and blames_customer:
            diagnosis.fail_mark(mark=blamed, failed=failed)
            if blamed.id == mark.id:
                return None
        passes = isinstance(failed, Unavailable) and failed.fault.responsible is not Responsible.CUSTOMER
        passes = passes and failed.fault.code not in TELLING
        no_word = replace(unchanged_result, code=NO_WORD, values={"cause": failed.fault.code})
        record(mark=mark, result=no_word if passes else unchanged_result)
    return None


def _again(mark: Mark, failed: CallFailed) -> Again | None:
    """When to ask once more: what was refused just now, or trouble that passes soon and that nobody need do anything about."""
    if failed.asked_again_at is not None:
        return Again(failed.asked_again_at, failed.fault.code)
    if (
        not isinstance(failed, Unavailable)
        or failed.fault.responsible is Responsible.CUSTOMER
        or mark.asked_at is None
    ):
        return None
    due_at = max(failed.retry_at, timezone.now() + (PAUSE if failed.entry_id else PAUSE_OF_LOOKS))
    return Again(due_at, failed.fault.code) if due_at < mark.asked_at + PATIENCE else None


def gave_up(lease: TenantLease) -> None:
    """The job was parked: stop the page's waiting and say so."""
    mark = Mark.objects.select_related("onboarding__connection").filter(id=lease.subject).first()
    if mark is not None:
        record(mark=mark, result=CheckpointResult(_keep(mark), "check-gave-up"))
