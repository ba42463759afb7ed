"""What a member does on the checklist: begin, attest, hand over a credential, ask for a check, confirm."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from connections.jobs.services import enqueue
from connections.spec.checklist import MarkState, Probe
from connections.spec.provider import CredentialField, Text
from connections.sync.models import Trigger
from connections.sync.services import start_run
from connections.tenancy import audit
from connections.tenancy.models import Tenant
from connections.tenancy.scope import Actor
from connections.vault.models import ClientRegistration, Connection, ConnectionState
from connections.vault.secret import Secret
from connections.vault.services import Refused, bind_company, mark_healthy, open_connection, store_credential
from portal.onboarding.marks import Proof, checkpoint_of, provider_of, record
from portal.onboarding.models import Evidence, Mark, Onboarding

CHECK = "onboarding.check"


class BadInput(Exception):
    """What was typed cannot be right; the text is a sentence for the field and never repeats the input."""

    def __init__(self, sentence: Text) -> None:
        super().__init__(str(sentence))
        self.sentence = sentence


def begin(*, tenant: Tenant, provider: str, environment: str, actor: Actor) -> Onboarding:
    """Open a connection and its checklist, every mark open. Raises Refused."""
    connection = open_connection(tenant=tenant, provider=provider, environment=environment, actor=actor)
    onboarding = Onboarding(tenant=tenant, connection=connection)
    onboarding.save(force_insert=True)
    for checkpoint in provider_of(connection).checklist:
        Mark(tenant=tenant, onboarding=onboarding, checkpoint=checkpoint.slug).save(force_insert=True)
    return onboarding


def attest(*, mark: Mark, actor: Actor) -> None:
    """A person says that it is done. Raises Refused where we can ask the provider already, or nothing can be attested.

    What is inferred or verified stays so: a person's word does not replace a proof.
    """
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


def ask_check(*, mark: Mark) -> None:
    """Queue a probe of this checkpoint; its finding appears on the mark."""
    mark.asked_at = timezone.now()
    Mark.objects.filter(id=mark.id).update(asked_at=mark.asked_at)
    enqueue(kind=CHECK, subject=mark.id, tenant_id=mark.tenant_id)


def give_credential(*, mark: Mark, text: str, actor: Actor) -> bool:
    """Seal what was typed, forget the old token's worth, and check it. Raises BadInput. True when blanks were removed."""
    connection = mark.onboarding.connection
    checkpoint = checkpoint_of(mark)
    field = next(field for field in provider_of(connection).credentials if field.name == checkpoint.credential)
    cleaned = clean_credential(field, text, connection)
    store_credential(connection=connection, name=field.name, secret=Secret(cleaned), actor=actor)
    ask_check(mark=mark)
    return cleaned != text


def clean_credential(field: CredentialField, text: str, connection: Connection) -> str:
    """The credential without blanks around it. Raises BadInput for what is recognisably something else."""
    cleaned = text.strip().strip("\"'").strip()
    if not cleaned:
        raise BadInput(_("Paste the value here; the field is empty."))
    if any(character.isspace() for character in cleaned):
        raise BadInput(_("There is a blank or a line break in the middle. Copy the value once more, all of it."))
    if urlsplit(cleaned).scheme in ("http", "https"):
        raise BadInput(_("This is an address. Paste the key itself."))
    if not cleaned.isascii() or not cleaned.isprintable():
        raise BadInput(_("There are characters in it that such a value never has. Copy it once more."))
    ours = ClientRegistration.objects.filter(
        provider=connection.provider, environment=connection.environment, client_id=cleaned
    )
    if ours.exists():
        raise BadInput(_("This is our client id. Paste the key that you received in exchange for it."))
    if not field.shortest <= len(cleaned) <= field.longest:
        raise BadInput(_("This is too short or too long. Copy the value once more, all of it."))
    return cleaned


def confirm(*, mark: Mark, actor: Actor) -> None:
    """The customer confirms what the probe found (the company): the connection stands and the first sync starts.

    Raises Refused while the probe has not verified it.
    """
    checkpoint = checkpoint_of(mark)
    if not checkpoint.confirm or mark.state != MarkState.VERIFIED:
        raise Refused(_("There is nothing to confirm yet. Check it first."))
    connection = mark.onboarding.connection
    connection.refresh_from_db()
    if connection.state != ConnectionState.SETUP:
        raise Refused(_("This company has been confirmed already."))
    latest = Evidence.objects.filter(mark=mark, state=MarkState.VERIFIED).latest("at")
    bound = bind_company(
        connection=connection, company_id=latest.values["company_id"], company_name=latest.values["company"]
    )
    if not bound:
        raise Refused(_("This connection belongs to another company already."))
    record(
        mark=mark,
        proof=Proof(
            MarkState.VERIFIED,
            latest.code,
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
    )
    if not connection.runs.exists():
        start_run(connection=connection, trigger=Trigger.FIRST, actor=actor)


def our_client_id(connection: Connection) -> str:
    """Our client id at this provider environment, for the customer to paste there; empty while none is registered."""
    found = ClientRegistration.objects.filter(provider=connection.provider, environment=connection.environment)
    return found.values_list("client_id", flat=True).first() or ""
