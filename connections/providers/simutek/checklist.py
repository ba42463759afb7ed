"""GKS4's onboarding: Simutek registers a client, the customer enters what they sent."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from connections.providers.simutek.streams import PAGES
from connections.spec import checkpoints, proofs
from connections.spec.checklist import (
    TOKEN,
    Asker,
    Attestation,
    Checkpoint,
    Inference,
    Probe,
)
from connections.spec.envelope import id_of
from connections.spec.operations import Arguments
from connections.spec.streams import BadPage

SENTENCES = {
    **proofs.SENTENCES,
    "numbers-ours": _("%(who)s told us that customers we create get a number of yours. GKS4 cannot show it to us."),
    "answered-so-received": _("What you received opens your GKS4, so access was given."),
}
HERE = _("you, with what Simutek sent you")


def customers(asker: Asker) -> list[tuple[str, str]]:
    """(number, name) of the first customers. Raises BadPage."""
    body: Any = asker.ask("customers.list", Arguments(query={"page": "1", "pageSize": "50"})).body
    try:
        page = PAGES.read(body, "number")
    except BadPage:
        # A search that finds nothing may say so with nothing.
        if body in (None, {}):
            return []
        raise
    return [(number, str(each.get("name") or "?")) for each in page.records if (number := id_of(each, "number"))]


# Nothing tells whose installation it is: its address and the client stand for it.
IDENTITY = ("api_url", "client_id")


CHECKLIST = (
    Checkpoint(
        "ask",
        _("Ask Simutek for access"),
        _("Simutek registers a client in your GKS4."),
        _("Only they can: there is no page where you could do it yourself."),
        Inference("access", "answered-so-received"),
        _("someone who may speak for your company"),
        how=(
            _("Write to Simutek and ask for access to the API of your GKS4 for Pilotage."),
            _("They send you a client id and a client secret. Ask in the same mail for the address of your API."),
        ),
        attest=_("We have asked, and have received everything."),
        may_hand_off=True,
        false_answer="The credentials of somebody else's access open it as well as our own.",
    ),
    Checkpoint(
        "access",
        _("Enter the address, client id and secret"),
        _("We sign in and look at the first customers."),
        _("They open your GKS4 for as long as Simutek keeps the client. The secret is stored sealed."),
        Probe(proofs.session_opens(customers)),
        HERE,
        fields=("api_url", "client_id", "client_secret"),
        avoid=(checkpoints.NO_SECRET_BY_MAIL,),
        confirm=_("The access may include less than before."),
        meant={"scope-less": "scope-enough"},
        asks=(TOKEN, "customers.list"),
        false_answer="A search that finds no customer opens as well; another printing house's address with its client, too.",
    ),
    Checkpoint(
        "numbering",
        _("Decide who numbers customers"),
        _("GKS4 does not tell the number of a customer it has just created."),
        _("So customers that we create need a number of your own, or nobody could find them again."),
        Attestation("numbers-ours"),
        _("whoever keeps your customer register"),
        attest=_("Customers that come from here get a number of ours."),
        false_answer="A person's word: GKS4 tells nobody how customers are numbered.",
    ),
    checkpoints.named_company(
        line=_("GKS4 does not tell whose it is. Say it, and look whether you know the customers."),
        confirm=_("Yes, these are our customers."),
        customers=customers,
        identity=IDENTITY,
    ),
    checkpoints.first_sync("company"),
)
