"""Pentamic's onboarding: what its administrator hands out, the certificate compared, the company named."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from connections.spec import checkpoints, proofs
from connections.spec.checklist import CERTIFICATES, TOKEN, Asker, Checkpoint, Finding, Inference, MarkState, Probe
from connections.spec.envelope import id_of
from connections.spec.streams import BadPage

SENTENCES = {
    **proofs.SENTENCES,
    "addresses-answer": _("Both servers answer."),
    "plain-http": _(
        "An address begins with http: secret and data travel unprotected, by our admin's leave. Whether a server answers "
        "there shows when we sign in."
    ),
    "answered-so-received": _("What you received opens Pentamic, so access was given."),
}
HERE = _("you, with what Pentamic's administrator sent you")


def customers(asker: Asker) -> list[tuple[str, str]]:
    """(id, name) of the customers. Raises BadPage."""
    body = asker.ask("customers.list").body
    if not isinstance(body, list):
        message = "no list of customers"
        raise BadPage(message)
    return [(id_of(each, "id") or "", str(each.get("name") or "?")) for each in body if isinstance(each, dict)]


# Its API names no company: the servers and the client that Pentamic made there stand for it.
IDENTITY = ("api_url", "auth_url", "client_id")


def addresses(asker: Asker) -> Finding:
    """Whether servers answer there; with https their certificates are what answers. Without it nothing is asked here."""
    typed = [asker.settings.get(name, "") for name in ("api_url", "auth_url")]
    asker.certificates()
    if any(address.startswith("http:") for address in typed):
        return Finding(MarkState.WAIVED, "plain-http")
    return Finding(MarkState.VERIFIED, "addresses-answer")


CHECKLIST = (
    Checkpoint(
        "ask",
        _("Ask for access"),
        _("Pentamic's administrator makes a client for your company."),
        _("Only they can: there is no page of theirs where you could do it yourself."),
        Inference("access", "answered-so-received"),
        _("someone who may speak for your company"),
        how=(
            _("Write to info@pentamic.com and ask for access to the accounting API for Pilotage."),
            _("They send you two addresses, a client id, a client secret and a scope."),
            _("Ask them to tell you the fingerprints of their servers' certificates by telephone or letter."),
        ),
        attest=_("We have asked, and have received everything."),
        may_hand_off=True,
        false_answer="The credentials of somebody else's access open it as well as our own.",
    ),
    Checkpoint(
        "addresses",
        _("Enter the two addresses"),
        _("The server of the API, and the server that signs us in."),
        _("Every company may be on a server of its own."),
        Probe(addresses),
        HERE,
        fields=("api_url", "auth_url", "format", "tax_codes", "xml_namespace"),
        avoid=(
            _("Do not enter an address that begins with http unless you must: everything would travel unprotected."),
        ),
        asks=(CERTIFICATES,),
        false_answer=(
            "Any server that speaks TLS answers; whether it is Pentamic's API shows at “access”. By plain HTTP nothing is asked."
        ),
    ),
    Checkpoint(
        "certificate",
        _("Compare the certificates"),
        _("Pentamic signs its certificates itself, so somebody must compare them once."),
        _("Otherwise whoever stands in between could pretend to be Pentamic and read your secret."),
        Probe(proofs.compared_certificates),
        _("you, with Pentamic's administrator on the telephone"),
        how=(
            _("Press Check now: we fetch what the servers show and do not send anything."),
            _("Compare every fingerprint, character by character, with what the administrator tells you."),
            _("Confirm only if all are equal."),
        ),
        avoid=(_("Do not compare with a fingerprint that came by the same e-mail as the secret."),),
        needs=("addresses",),
        pins=True,
        confirm=_("I have compared every fingerprint, and they are equal."),
        asks=(CERTIFICATES,),
        false_answer="A person confirms without comparing, or compares with what came on the same way as the certificate.",
    ),
    Checkpoint(
        "access",
        _("Enter client id, secret and scope"),
        _("We sign in and ask for the list of customers."),
        _("They open your company's books at Pentamic, for an hour at a time. The secret is stored sealed."),
        Probe(proofs.session_opens(customers, needed=lambda asker: asker.settings.get("scope", "").split())),
        HERE,
        needs=("certificate",),
        fields=("client_id", "client_secret", "scope"),
        may_hand_off=True,
        avoid=(checkpoints.NO_SECRET_BY_MAIL,),
        asks=(TOKEN, "customers.list"),
        false_answer="A list without any customer opens as well. A disabled client's last token may live for an hour.",
    ),
    checkpoints.named_company(
        line=_("Pentamic does not tell whose books these are. Say it, and look whether you know the customers."),
        confirm=_("Yes, these are our books."),
        customers=customers,
        identity=IDENTITY,
    ),
    checkpoints.first_sync("company"),
)
