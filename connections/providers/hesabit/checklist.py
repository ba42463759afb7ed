"""Hesabit's onboarding: the customer approves our client in the browser, and says whose books they are."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from connections.providers.hesabit.streams import pages
from connections.spec import checkpoints, proofs
from connections.spec.checklist import TOKEN, Asker, Attestation, Checkpoint, Probe
from connections.spec.envelope import id_of
from connections.spec.operations import Arguments

CONSENT = "consent"
SCOPE = ("write",)  # OAuth guide: the one that it shows
SENTENCES = {
    **proofs.SENTENCES,
    "package-known": _("%(who)s told us that your package at Hesabit is known. Hesabit's API cannot show it to us."),
}


def customers(asker: Asker) -> list[tuple[str, str]]:
    """(id, name) of some customers. Raises BadPage."""
    body = asker.ask("customers.list", Arguments(query={"limit": "20"})).body
    page = pages("customers").read(body, "id")
    return [
        (id_, str(each.get("name") or each.get("company") or "?"))
        for each in page.records
        if (id_ := id_of(each, "id"))
    ]


def one_invoice(asker: Asker) -> None:
    """The smallest list."""
    asker.ask("invoices.list", Arguments(query={"limit": "1"}))


CHECKLIST = (
    Checkpoint(
        "package",
        _("Look at your package"),
        _("Some things, such as payment on the invoice, need an active package at Hesabit."),
        _("Connecting costs nothing; what Hesabit can do for you depends on your package there."),
        Attestation("package-known"),
        _("you"),
        attest=_("I know which package we have."),
        false_answer="A person may be wrong about the package, or it may end: only payment on invoices depends on it.",
    ),
    Checkpoint(
        "access",
        _("Connect"),
        _("You sign in at Hesabit and approve Pilotage."),
        _("We never see your password. You can take the approval back in Hesabit's panel at any moment."),
        Probe(proofs.session_opens(one_invoice, needed=lambda asker: SCOPE)),
        _("someone who may sign in to Hesabit for your company"),
        how=(_("Press Connect, sign in at hesabit.com, and approve."),),
        avoid=(_("Do not sign in with the account of another shop."),),
        connect=(CONSENT,),
        may_hand_off=True,
        asks=(TOKEN, "invoices.list"),
        false_answer=(
            "A list without any record opens as well. Of an account of another shop nothing is seen here, but at the next "
            "checkpoint."
        ),
    ),
    checkpoints.named_company(
        line=_("Hesabit does not tell whose account it is. Say it, and look whether you know the customers."),
        why=_("We make sure that no other company's books end up here, now and when you reconnect."),
        confirm=_("Yes, these are our customers."),
        customers=customers,
    ),
    checkpoints.first_sync("company"),
)
