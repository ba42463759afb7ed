"""What a member does on the checklist: begin, attest, hand over a credential, ask for a check, confirm."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from connections.jobs.services import enqueue
from connections.spec.checklist import MarkState, Probe
from connections.spec.proofs import BOOKS_AGAIN, BOOKS_AGAIN_EMPTY
from connections.sync import faults
from connections.sync.models import Trigger
from connections.sync.services import cancel_active, start_run
from connections.tenancy import audit
from connections.tenancy.models import Tenant
from connections.tenancy.scope import Actor
from connections.vault.models import ClientRegistration, Connection, ConnectionState
from connections.vault.services import (
    Refused,
    bind_company,
    confirm_pins,
    doubt_company,
    forget_tokens,
    hold_open,
    mark_healthy,
    open_connection,
    refuse_changed,
    refuse_left,
)
from portal.onboarding import typed
from portal.onboarding.marks import CHECK, Proof, ask_at_once, checkpoint_of, provider_of, record
from portal.onboarding.models import Evidence, Mark, Onboarding

SERVER_CHANGED = "server-changed"
# What an owner is asked to confirm once more, and what stands there afterwards.
BOOKS_AGAIN_CODES = {BOOKS_AGAIN: "books-seen", BOOKS_AGAIN_EMPTY: "books-empty"}


def begin(*, tenant: Tenant, provider: str, environment: str, way: str = "", actor: Actor) -> Onboarding:
    """Open a connection and its checklist, every mark open. `way`: '' is the one we recommend. Raises Refused."""
    connection = open_connection(tenant=tenant, provider=provider, environment=environment, way=way, actor=actor)
    return lay_out(connection)


def lay_out(connection: Connection) -> Onboarding:
    """The checklist of a new connection, every mark open. Needs the tenant's scope."""
    onboarding = Onboarding(tenant_id=connection.tenant_id, connection=connection)
    onboarding.save(force_insert=True)
    for checkpoint in provider_of(connection).checkpoints(connection.way):
        Mark(tenant_id=connection.tenant_id, onboarding=onboarding, checkpoint=checkpoint.slug).save(force_insert=True)
    return onboarding


def attest(*, mark: Mark, actor: Actor) -> None:
    """A person says that it is done. Raises Refused where we can ask the provider already, or nothing can be attested.

    What is inferred or verified stays so: a person's word does not replace a proof.
    """
    refuse_left(mark.onboarding.connection)
    if not checkpoint_of(mark).attest:
        raise Refused(_("This cannot be confirmed by hand: we check it ourselves."))
    if mark.state in (MarkState.VERIFIED, MarkState.INFERRED):
        return
    if mark.state == MarkState.FAILING and isinstance(checkpoint_of(mark).proof, Probe):
        raise Refused(_("We found that this fails. Put it right, then have it checked again."))
    record(mark=mark, proof=Proof(MarkState.ATTESTED, "said-so", {"who": actor.name}, actor_name=actor.name))
    audit.record(
        tenant_id=mark.tenant_id,
        actor=actor,
        action="checkpoint.attested",
        subject=str(mark.onboarding.connection_id),
        checkpoint=mark.checkpoint,
    )


def check(*, mark: Mark) -> None:
    """A person wants it checked now. Raises Refused for a connection that was disconnected."""
    refuse_left(mark.onboarding.connection)
    ask_check(mark=mark)


def ask_check(*, mark: Mark) -> None:
    """Queue a probe of this checkpoint; its finding appears on the mark."""
    mark.asked_at = timezone.now()
    Mark.objects.filter(id=mark.id).update(asked_at=mark.asked_at)
    enqueue(kind=CHECK, subject=mark.id, tenant_id=mark.tenant_id)


def give(*, mark: Mark, values: Mapping[str, str], actor: Actor) -> bool:
    """Keep what was typed and check it. Raises BadInput, Refused. True when blanks were removed."""
    entry = typed.read(mark=mark, typed=values)
    connection = mark.onboarding.connection
    with transaction.atomic():
        ask_check(mark=mark)
        if entry.changes_access:
            hold_reading(connection=connection, actor=actor)
            forget_tokens(connection)
        hold_open(connection)
        refuse_changed(connection)
        ask_at_once(mark, is_typed=True)
        typed.store(entry=entry, actor=actor)
        if entry.moves_server:
            reopen_for_server(connection, but=mark)
    return entry.was_trimmed


def reopen_for_server(connection: Connection, *, but: Mark | None = None) -> None:
    """What was proved at the old server says nothing of the new one: its checkpoints begin anew, the addresses first.

    `but`: the one that is being checked already. Needs the tenant's scope.
    """
    secret = {field.name for field in provider_of(connection).credentials if field.secret}
    addresses = {field.name for field in typed.address_fields(connection)}
    for mark in Mark.objects.select_related("onboarding__connection").filter(onboarding__connection_id=connection.id):
        checkpoint = checkpoint_of(mark)
        if but is not None and mark.id == but.id:
            continue
        names_server = bool(addresses & set(checkpoint.fields))
        if names_server or checkpoint.pins or checkpoint.confirm or secret & set(checkpoint.fields):
            if mark.state != MarkState.OPEN:
                record(mark=mark, proof=Proof(MarkState.OPEN, SERVER_CHANGED))
            if names_server and not secret & set(checkpoint.fields):
                ask_check(mark=mark)  # the others wait for what is entered or compared anew


def hold_reading(*, connection: Connection, actor: Actor) -> None:
    """What opens the connection is about to change: until the company is proved again, nobody reads with it.

    Nothing happens in set-up, where nothing is read. Needs the tenant's scope; comes before the connection is locked.
    """
    state = Connection.objects.values_list("state", flat=True).get(id=connection.id)
    if state not in (ConnectionState.CONNECTED, ConnectionState.BROKEN):
        return
    # The run's rows first, as a page's transaction takes them.
    cancel_active(connection=connection, actor=actor)
    doubt_company(connection=connection, fault=faults.COMPANY_UNPROVEN.code)


def confirm(*, mark: Mark, compared: Collection[str] = (), evidence: str | None = None, actor: Actor) -> None:
    """The customer confirms what the probe found (the company): the connection stands and the first sync starts. Where
    reading is held because the access or the server was changed, an owner confirms that it is still the same company; the
    caller has checked the role.

    `compared`: the certificates the page showed (Pin.compared); `evidence`: what it showed of the company, where reading
    is held. Raises Refused while the probe has not verified it, and where something else stands there than was shown.
    """
    refuse_left(mark.onboarding.connection)
    checkpoint = checkpoint_of(mark)
    is_open = mark.state == MarkState.OPEN and mark.onboarding.connection.fault in faults.HOLDING
    if not checkpoint.confirm or (mark.state != MarkState.VERIFIED and not checkpoint.pins and not is_open):
        raise Refused(_("There is nothing to confirm yet. Check it first."))
    connection = mark.onboarding.connection
    connection.refresh_from_db()
    if checkpoint.pins:
        _confirm_certificates(mark, compared, actor)
        return
    is_held = connection.fault in faults.HOLDING
    if connection.state != ConnectionState.SETUP and not is_held:
        raise Refused(_("This company has been confirmed already."))
    # What stands behind it may be newer and say only that the provider could not be asked.
    found = Evidence.objects.filter(mark=mark, values__has_key="company_id")
    if is_held:
        found = found.filter(state=MarkState.OPEN, code__in=BOOKS_AGAIN_CODES, at__gte=connection.fault_at)
    else:
        found = found.filter(state=MarkState.VERIFIED)
    latest = found.order_by("at").last()
    if latest is None:
        raise Refused(_("There is nothing to confirm yet. Check it first."))
    if is_held and evidence is not None and evidence != str(latest.id):
        raise Refused(_("Something else was found since your page was shown. Look once more, then confirm."))
    before = connection.company_id
    bound = bind_company(
        connection=connection, company_id=latest.values["company_id"], company_name=latest.values["company"]
    )
    if not bound:
        raise Refused(_("This connection belongs to another company already."))
    record(
        mark=mark,
        proof=Proof(
            MarkState.VERIFIED,
            BOOKS_AGAIN_CODES.get(latest.code, latest.code),
            latest.values,
            actor_name=actor.name,
            entry_id=latest.entry_id,
            provider_request_id=latest.provider_request_id,
        ),
    )
    mark_healthy(connection=connection)
    connection.refresh_from_db(fields=["state"])
    audit.record(
        tenant_id=mark.tenant_id,
        actor=actor,
        action="company.confirmed",
        subject=str(connection.id),
        company=connection.company_name,
        company_id=connection.company_id,
        **({"before": before} if is_held else {}),
    )
    if is_held:
        start_run(connection=connection, trigger=Trigger.MENDED, actor=actor)
    elif not connection.runs.exists():
        start_run(connection=connection, trigger=Trigger.FIRST, actor=actor)


def _confirm_certificates(mark: Mark, compared: Collection[str], actor: Actor) -> None:
    """Whoever compared the fingerprints says that they are right: these certificates are trusted from now on.

    Raises Refused where nothing or something else waits: a page that is out of date confirms nothing that it did not show.
    """
    connection = mark.onboarding.connection
    hosts = confirm_pins(connection=connection, compared=compared, actor=actor)
    if not hosts:
        raise Refused(_("There is nothing to confirm yet. Check it first."))
    ask_check(mark=mark)


def our_client_id(connection: Connection) -> str:
    """Our client id at this provider environment, for the customer to paste there; empty while none is registered."""
    found = ClientRegistration.objects.filter(provider=connection.provider, environment=connection.environment)
    return found.values_list("client_id", flat=True).first() or ""
