"""SmartBusiness's onboarding: consent to our client, or a client of the customer's own."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from connections.providers.smartbusiness.faults import FIELD_SENTENCES
from connections.providers.smartbusiness.streams import STREAMS
from connections.spec import checkpoints, proofs
from connections.spec.checklist import TOKEN, Asker, Checkpoint, Finding, Inference, MarkState, Probe, Tells
from connections.spec.envelope import BadPage, required_id
from connections.spec.operations import Arguments
from connections.spec.proofs import Company

# Authentication, scopes: what our streams and operations need.
SCOPES = ("profile", "contact", "catalog", "invoice", "offer", "order_confirmation", "configuration")
CONSENT, OWN_CLIENT = "consent", "own-client"

SENTENCES = {
    **proofs.SENTENCES,
    **FIELD_SENTENCES,
    "access-works": _("SmartBusiness accepts our requests, so there is an account with API access."),
    "client-works": _("SmartBusiness accepts this client, so it is registered."),
    "lists-open": _(
        "SmartBusiness does not say what the access includes, so we tried: it answers when we ask for %(lists)s."
    ),
}
ADMIN = _("whoever manages users in SmartBusiness")


def profile(asker: Asker) -> Company:
    """`GET /auth/profile`: the company of the account. Raises BadPage."""
    body = asker.ask("profile").body
    account = body.get("item", body) if isinstance(body, dict) else None
    if not isinstance(account, dict):
        message = "no profile"
        raise BadPage(message)
    return Company(required_id(account, "id"), str(account.get("company_name") or account.get("name") or "?"))


def lists(asker: Asker) -> Finding:
    """One record of each list that is read: one that is refused fails the checkpoint by its fault."""
    streams = [stream for stream in STREAMS if stream.name in asker.streams_wanted]
    for stream in streams:
        asker.ask(stream.operation, Arguments(query={"limit": "1"}))
    return Finding(MarkState.VERIFIED, "lists-open", {"lists": ", ".join(str(stream.label) for stream in streams)})


SIGN_IN = Probe(proofs.signed_in(profile))
SIGN_IN_ASKS = (TOKEN, "profile")
SIGN_IN_FALSE = "The profile opens whatever the user may read: rights and scopes are looked at further below."

CHECKLIST = (
    Checkpoint(
        "account",
        _("Have an account with API access"),
        _("SmartBusiness may offer its API in some plans only."),
        _("Without API access in your plan SmartBusiness refuses every request."),
        Inference("access", "access-works"),
        ADMIN,
        attest=_("We have a SmartBusiness account whose plan includes the API."),
        may_hand_off=True,
        false_answer="A plan may let the profile through and refuse single kinds of documents: “scopes” and a sync show it.",
    ),
    Checkpoint(
        "access",
        _("Connect"),
        _("You sign in at SmartBusiness and allow Pilotage to read your books."),
        _("We never see your password. You can take the access back in SmartBusiness at any moment."),
        SIGN_IN,
        _("someone who may sign in to SmartBusiness for your company"),
        how=(_("Press Connect, sign in at SmartBusiness, look at what is asked for, and allow it."),),
        avoid=(_("Do not sign in with the account of another company."),),
        connect=(CONSENT,),
        may_hand_off=True,
        auth_methods=(CONSENT,),
        asks=SIGN_IN_ASKS,
        false_answer=SIGN_IN_FALSE,
    ),
    Checkpoint(
        "client",
        _("Register a client"),
        _("A client of its own for this connection, with client credentials."),
        _("One client for each use: it can be revoked without touching anything else."),
        Inference("access", "client-works"),
        ADMIN,
        where=("Home", "Users", "API V2"),
        how=(
            _("Register a new client with a unique name, for example “Pilotage”."),
            _("Choose client credentials (own account)."),
            _(
                "Tick the scopes profile, contact, catalog, invoice, offer, order_confirmation and configuration, and save."
            ),
        ),
        avoid=(_("Do not use a client that another program uses already."),),
        attest=_("I have registered a client."),
        may_hand_off=True,
        auth_methods=(OWN_CLIENT,),
        false_answer="A client that another program uses as well passes: nothing tells whose it is.",
    ),
    Checkpoint(
        "access",
        _("Paste client id and secret"),
        _("Both are shown where you registered the client."),
        _("With them we ask SmartBusiness for a session of twelve hours at a time. They are stored sealed."),
        SIGN_IN,
        ADMIN,
        where=("Home", "Users", "API V2"),
        avoid=(checkpoints.NO_SECRET_BY_MAIL,),
        fields=("client_id", "client_secret"),
        may_hand_off=True,
        auth_methods=(OWN_CLIENT,),
        asks=SIGN_IN_ASKS,
        false_answer=SIGN_IN_FALSE,
    ),
    Checkpoint(
        "scopes",
        _("Look at what we may read"),
        _("Contacts, catalogue, invoices, offers, order confirmations and bank accounts."),
        _("With too few scopes some of your books would be missing here. With too many, a leak does more harm."),
        Probe(proofs.scope(*SCOPES, unsaid=lists)),
        ADMIN,
        where=("Home", "Users", "API V2"),
        needs=("access",),
        confirm=_("The access may include this."),
        meant={"scope-more": "scope-more-meant"},
        tells=Tells.RIGHTS,
        asks=tuple(stream.operation for stream in STREAMS),
        false_answer="Where an answer tells the scopes, a user's missing right behind them shows only when a list is asked.",
    ),
    checkpoints.told_company(profile, needs="access", asks="profile"),
    checkpoints.first_sync("company", "scopes"),
)
