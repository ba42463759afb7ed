"""What a member does on the checklist: begin, attest, hand over a credential, ask for a check, confirm."""

from __future__ import annotations

from collections.abc import Collection

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from connections.jobs.services import enqueue
from connections.spec.checklist import Attestation, LogProbe, MarkState, Probe
from connections.spec.proofs import MEANT
from connections.sync import faults
from connections.sync.models import Trigger
from connections.sync.services import cancel_active, start_run
from connections.tenancy import audit
from connections.tenancy.models import Tenant
from connections.tenancy.scope import Actor
from connections.vault.models import Connection
from connections.vault.services import (
    ActionRefused,
    bind_company,
    confirm_pins,
    doubt_company,
    forget_tokens,
    lock_unless_disconnected,
    mark_healthy,
    open_connection,
    refuse_changed,
    refuse_disconnected,
)
from connections.vault.states import STANDING_OR_PAUSED
from portal.incidents.advance_warnings import ensure_warned
from portal.incidents.lasting import REMIND, REMINDED_AFTER
from portal.incidents.models import Incident
from portal.onboarding.credentials import CleanCredentials, address_fields, save_values
from portal.onboarding.marks import (
    CheckpointResult,
    ask_at_once,
    ask_check,
    ask_waiting,
    checkpoint_of,
    marks_of,
    missing,
    provider_of,
    record,
)
from portal.onboarding.models import Evidence, Mark, Onboarding
from portal.onboarding.twins import twin_of

SERVER_CHANGED = "server-changed"


def begin(*, tenant: Tenant, provider: str, environment: str, auth_method: str = "", actor: Actor) -> Onboarding:
    """Open a connection and its checklist, every mark open. `auth_method`: '' is the one we recommend. Raises
    ActionRefused.
    """
    connection = open_connection(
        tenant=tenant, provider=provider, environment=environment, auth_method=auth_method, actor=actor
    )
    due_at = timezone.now() + REMINDED_AFTER[0]
    enqueue(kind=REMIND, subject=connection.id, tenant_id=tenant.id, due_at=due_at)
    return create_onboarding(connection)


def create_onboarding(connection: Connection) -> Onboarding:
    """The checklist of a new connection, every mark open. Needs the tenant's scope."""
    onboarding = Onboarding(tenant_id=connection.tenant_id, connection=connection)
    onboarding.save(force_insert=True)
    for checkpoint in provider_of(connection).checkpoints(connection.auth_method):
        Mark(tenant_id=connection.tenant_id, onboarding=onboarding, checkpoint=checkpoint.slug).save(force_insert=True)
    ensure_warned(connection)
    return onboarding


def attest(*, mark: Mark, actor: Actor) -> None:
    """A person says that it is done. Raises ActionRefused where we can ask the provider already, or nothing can be attested.

    What is inferred or verified stays so: a person's word does not replace a proof.
    """
    refuse_disconnected(mark.onboarding.connection)
    checkpoint = checkpoint_of(mark)
    if not checkpoint.attest:
        raise ActionRefused(_("This cannot be confirmed by hand: we check it ourselves."))
    if mark.state in (MarkState.VERIFIED, MarkState.INFERRED, MarkState.UNCONFIRMED):
        return
    if mark.state == MarkState.FAILING and isinstance(checkpoint.proof, Probe):
        raise ActionRefused(_("We found that this fails. Put it right, then have it checked again."))
    code = checkpoint.proof.code if isinstance(checkpoint.proof, Attestation) else "said-so"
    record(mark=mark, result=CheckpointResult(MarkState.ATTESTED, code, {"who": actor.name}, actor_name=actor.name))
    look_whether_complete(mark)
    audit.record(
        tenant_id=mark.tenant_id,
        actor=actor,
        action="checkpoint.attested",
        subject=str(mark.onboarding.connection_id),
        checkpoint=mark.checkpoint,
    )


def check(*, mark: Mark) -> None:
    """A person wants it checked now. Raises ActionRefused for a connection that was disconnected."""
    refuse_disconnected(mark.onboarding.connection)
    ask_check(mark=mark)


def store_credentials(*, credentials: CleanCredentials, actor: Actor) -> None:
    """Store what was typed at a checkpoint, and check it. Needs the tenant's scope. Raises ActionRefused, KeyUnavailable."""
    mark, connection = credentials.mark, credentials.connection
    with transaction.atomic():
        ask_check(mark=mark)
        if credentials.changes_access:
            hold_reading(connection=connection, actor=actor)
            forget_tokens(connection)
        lock_unless_disconnected(connection)
        refuse_changed(connection)
        ask_at_once(mark, is_typed=True)
        save_values(credentials=credentials, actor=actor)
        if credentials.moves_server:
            reopen_for_server(connection, but=mark)


def reopen_for_server(connection: Connection, *, but: Mark | None = None) -> None:
    """What was proved at the old server says nothing of the new one: its checkpoints begin anew, the addresses first.

    `but`: the one that is being checked already. Needs the tenant's scope.
    """
    secret = {field.name for field in provider_of(connection).credentials if field.secret}
    addresses = {field.name for field in address_fields(connection)}
    onboarding = Onboarding.objects.select_related("connection").get(connection_id=connection.id)
    for mark in marks_of(onboarding).values():
        checkpoint = checkpoint_of(mark)
        if but is not None and mark.id == but.id:
            continue
        names_server = bool(addresses & set(checkpoint.fields))
        if names_server or checkpoint.pins or checkpoint.confirm or secret & set(checkpoint.fields):
            if mark.state != MarkState.OPEN:
                record(mark=mark, result=CheckpointResult(MarkState.OPEN, SERVER_CHANGED))
            if names_server and not secret & set(checkpoint.fields):
                ask_check(mark=mark)  # the others wait for what is entered or compared anew


def hold_reading(*, connection: Connection, actor: Actor) -> None:
    """What opens the connection is about to change: until the company is proved again, nobody reads with it.

    Nothing happens in set-up, where nothing is read. Needs the tenant's scope; comes before the connection is locked.
    """
    state = Connection.objects.values_list("state", flat=True).get(id=connection.id)
    if state not in STANDING_OR_PAUSED:
        return
    # The run's rows are locked before the connection's, in the order in which a sync that writes a page locks them.
    cancel_active(connection=connection, actor=actor)
    doubt_company(connection=connection, fault=faults.COMPANY_UNPROVEN.code)


def confirm(
    *, mark: Mark, compared: Collection[str] = (), evidence: str | None = None, twin: str | None = None, actor: Actor
) -> None:
    """A person says that what the probe found is what is meant. With the company the connection stands, and the first sync
    starts; where reading is held because the access or the server was changed, an owner says so: the caller has checked.

    `compared`: the certificates the page showed (Pin.compared); `evidence`: what it showed of anything else; `twin`: the
    tenant's other connection to the same company, by its id, where it showed one. Raises ActionRefused while nothing was
    found, where something else stands there than was shown, and for a company that is connected already unless the page said
    so.
    """
    refuse_disconnected(mark.onboarding.connection)
    checkpoint = checkpoint_of(mark)
    connection = mark.onboarding.connection
    connection.refresh_from_db()
    if checkpoint.pins:
        _confirm_certificates(mark, compared, actor)
        return
    if checkpoint.confirm and mark.state == MarkState.VERIFIED:
        raise ActionRefused(_("This has been confirmed already."))
    if lacking := missing(connection, checkpoint):
        labels = ", ".join(str(field.label) for field in lacking)
        raise ActionRefused(_("Enter this first, then confirm: %(fields)s.") % {"fields": labels})
    latest = _to_confirm(mark)
    if not checkpoint.confirm or latest is None:
        raise ActionRefused(_("There is nothing to confirm yet. Check it first."))
    _refuse_unseen(latest, evidence, connection)
    other = twin_of(connection, latest.values)
    if other is not None and twin not in (None, str(other.id)):
        raise ActionRefused(
            _("This company is connected already. Look at the page once more: it names the other connection.")
        )
    confirmation = CheckpointResult(
        MarkState.VERIFIED,
        {**MEANT, **checkpoint.meant}.get(latest.code, latest.code),
        latest.values,
        actor_name=actor.name,
        entry_id=latest.entry_id,
        provider_request_id=latest.provider_request_id,
    )
    if "company_id" in latest.values:
        _confirm_company(mark, confirmation, actor)
    else:
        record(mark=mark, result=confirmation)
        audit.record(
            tenant_id=mark.tenant_id,
            actor=actor,
            action="checkpoint.confirmed",
            subject=str(connection.id),
            checkpoint=mark.checkpoint,
            **latest.values,
        )
    ask_waiting(slug=mark.checkpoint, marks=marks_of(mark.onboarding))
    if Incident.objects.filter(connection=connection, checkpoint=mark.checkpoint, closed_at=None).exists():
        ask_check(mark=mark)  # only workers close incidents: one that sees that it is meant does
    look_whether_complete(mark)


def look_whether_complete(mark: Mark) -> None:
    """A person's word was the last: that everything has passed is noted by a worker, which looks at our own log once more."""
    marks = marks_of(mark.onboarding)
    if mark.onboarding.completed_at is None and all(MarkState(each.state).passes for each in marks.values()):
        for each in marks.values():
            if isinstance(checkpoint_of(each).proof, LogProbe):
                ask_check(mark=each)


def _to_confirm(mark: Mark) -> Evidence | None:
    """What was found and waits for a person's word; what stands behind it may be newer and say only that nobody answered."""
    if mark.state != MarkState.UNCONFIRMED:
        return None
    evidence = (
        Evidence.objects.with_findings().filter(mark=mark, state=MarkState.UNCONFIRMED).order_by("at", "id").last()
    )
    connection = mark.onboarding.connection
    if evidence is not None and "company_id" in evidence.values and connection.fault in faults.COMPANY_FAULTS:
        is_of_today = evidence.code in MEANT and (connection.fault_at is None or evidence.at >= connection.fault_at)
        return evidence if is_of_today else None
    return evidence


def _refuse_unseen(latest: Evidence, evidence_id: str | None, connection: Connection) -> None:
    """Raises ActionRefused where the page showed something else than what waits now."""
    is_held = connection.fault in faults.COMPANY_FAULTS
    if evidence_id == str(latest.id) or evidence_id is None or (not evidence_id and not is_held):
        return
    # Where it reads the same it is the same; while reading is held, only what was found since the access was changed counts.
    same = Evidence.objects.filter(mark_id=latest.mark_id, code=latest.code, values=latest.values)
    if is_held or evidence_id not in map(str, same.values_list("id", flat=True)):
        raise ActionRefused(_("Something else was found since your page was shown. Look once more, then confirm."))


def _confirm_company(mark: Mark, confirmation: CheckpointResult, actor: Actor) -> None:
    connection = mark.onboarding.connection
    before, is_held = connection.company_id, connection.fault in faults.COMPANY_FAULTS
    bound = bind_company(
        connection=connection,
        company_id=confirmation.values["company_id"],
        company_name=confirmation.values["company"],
    )
    if not bound:
        raise ActionRefused(_("This connection belongs to another company already."))
    record(mark=mark, result=confirmation)
    mark_healthy(connection=connection)
    connection.refresh_from_db(fields=["state", "fault"])
    audit.record(
        tenant_id=mark.tenant_id,
        actor=actor,
        action="company.confirmed",
        subject=str(connection.id),
        company=connection.company_name,
        company_id=connection.company_id,
        **({"before": before} if is_held else {}),
    )
    if connection.is_paused:
        return  # its reading goes on when somebody resumes it
    if is_held:
        start_run(connection=connection, trigger=Trigger.MENDED, actor=actor)
    elif not connection.runs.exists():
        start_run(connection=connection, trigger=Trigger.FIRST, actor=actor)


def _confirm_certificates(mark: Mark, compared: Collection[str], actor: Actor) -> None:
    """Whoever compared the fingerprints says that they are right: these certificates are trusted from now on.

    Raises ActionRefused where nothing or something else waits: a page that is out of date confirms nothing that it did not show.
    """
    connection = mark.onboarding.connection
    hosts = confirm_pins(connection=connection, compared=compared, actor=actor)
    if not hosts:
        raise ActionRefused(_("There is nothing to confirm yet. Check it first."))
    ask_check(mark=mark)
