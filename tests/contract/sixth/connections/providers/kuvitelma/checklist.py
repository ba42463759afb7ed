"""Kuvitelma's onboarding: let us in by consent or by a client of one's own, and confirm the company."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from connections.spec import proofs
from connections.spec.checklist import TOKEN, Asker, Checkpoint, LogProbe, Probe
from connections.spec.proofs import Company
from connections.spec.streams import BadPage

CONSENT, OWN_CLIENT = "consent", "own-client"
YOU = _("you")


def me(asker: Asker) -> Company:
    """Raises BadPage."""
    body = asker.ask("me").body
    if not isinstance(body, dict) or not body.get("company_id"):
        message = "no company_id"
        raise BadPage(message)
    return Company(str(body["company_id"]), str(body.get("company") or "?"))


CHECKLIST = (
    Checkpoint(
        "access",
        _("Connect"),
        _("You allow Pilotage at Kuvitelma."),
        _("We never see your password."),
        Probe(proofs.signed_in(me)),
        YOU,
        connect=(CONSENT,),
        auth_methods=(CONSENT,),
        asks=(TOKEN, "me"),
        false_answer="It opens whatever the user may read.",
    ),
    Checkpoint(
        "access",
        _("Paste client id and secret"),
        _("Both are shown on Kuvitelma's page."),
        _("With them we ask for a session."),
        Probe(proofs.signed_in(me)),
        YOU,
        fields=("client_id", "client_secret"),
        auth_methods=(OWN_CLIENT,),
        asks=(TOKEN, "me"),
        false_answer="It opens whatever the user may read.",
    ),
    Checkpoint(
        "company",
        _("Confirm the company"),
        _("Is it the company you mean?"),
        _("We make sure that no other company's books end up here."),
        Probe(proofs.company(me)),
        YOU,
        needs=("access",),
        confirm=_("Yes, this is the company."),
        asks=("me",),
        false_answer="Somebody confirms a company of a similar name.",
    ),
    Checkpoint(
        "first-sync",
        _("First sync"),
        _("We read everything once."),
        _("When it is through, you are live."),
        LogProbe(proofs.first_sync),
        _("Pilotage"),
        needs=("company",),
        false_answer="A list that is cut in silence.",
    ),
)
