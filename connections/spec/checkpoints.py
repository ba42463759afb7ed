"""Checkpoints that several providers' checklists share.

A lazy text is never asked whether it is empty: modules are imported before translations can be looked up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from django.utils.translation import gettext_lazy as _

from connections.spec import proofs
from connections.spec.checklist import Asker, Checkpoint, LogProbe, Probe
from connections.spec.text import Text

NO_SECRET_BY_MAIL = _("Do not send the secret by e-mail or chat.")  # to avoid, where one is typed in


def first_sync(*needs: str, line: Text | None = None) -> Checkpoint:
    """The last checkpoint of every checklist: a sync that read everything, as our own log says."""
    return Checkpoint(
        "first-sync",
        _("First sync"),
        line if line is not None else _("We read everything once; afterwards we look for what changed."),
        _("When the first sync is through, you are live."),
        LogProbe(proofs.first_sync),
        _("Pilotage"),
        needs=needs,
        false_answer="A provider that cuts or empties a list in silence: the run is green and what it hid is missing.",
    )


def named_company(
    *,
    line: Text,
    confirm: Text,
    customers: Callable[[Asker], list[tuple[str, str]]],
    why: Text | None = None,
    identity: Sequence[str] = (),
    false_answer: str = (
        "The API names no company. Other books in which a customer of ours has the same number pass for the same ones, and "
        "so do empty ones."
    ),
) -> Checkpoint:
    """For a provider that does not say whose books a session opens: a person names the company and recognises customers.

    `customers` gives some of them as (id, name). `identity`: as for proofs.books.
    """
    return Checkpoint(
        "company",
        _("Name and confirm the company"),
        line,
        why if why is not None else _("We make sure that no other company's books end up here."),
        Probe(proofs.books(stream="customers", read=customers, identity=identity)),
        _("you"),
        needs=("access",),
        fields=("company_name",),
        confirm=confirm,
        asks=("customers.list",),
        false_answer=false_answer,
    )


def told_company(
    read: Callable[[Asker], proofs.Company], *, needs: str, asks: str, why: Text | None = None
) -> Checkpoint:
    """For a provider that says whose books a session opens: a person confirms that it is the right company."""
    return Checkpoint(
        "company",
        _("Confirm the company"),
        _("Is it the company you mean?"),
        why
        if why is not None
        else _("We make sure that no other company's books end up here, now and when you reconnect."),
        Probe(proofs.company(read)),
        _("you"),
        needs=(needs,),
        confirm=_("Yes, this is the company we want to connect."),
        meant={"product-changed": "company-found"},
        asks=(asks,),
        false_answer="Somebody confirms a company of a similar name: the id beside it is all that tells the two apart.",
    )
