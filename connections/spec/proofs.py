"""Proofs that more than one provider asks for, and the sentences of their findings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.utils.translation import gettext_lazy as _

from connections.spec.checklist import Asker, Finding, MarkState
from connections.spec.text import Text

LONGEST_IDENTITY = 600  # characters
NAMED_AT_MOST = 8  # of what is superfluous, in a sentence
BOOKS_AGAIN, BOOKS_AGAIN_EMPTY = "books-again", "books-again-empty"
# What an owner is asked to confirm once more, and what stands there afterwards.
MEANT = {BOOKS_AGAIN: "books-seen", BOOKS_AGAIN_EMPTY: "books-empty"}

SENTENCES: Mapping[str, Text] = {
    "said-so": _("%(who)s told us that this is done. The provider's API cannot show it to us."),
    "first-sync-done": _("The first sync has read everything."),
    "first-sync-incomplete": _("The last sync could not read everything. Open it to see what was refused."),
    "first-sync-open": _("The first sync has not finished yet."),
    "certificate-public": _(
        "The provider's servers show certificates of a public authority; there is nothing to compare."
    ),
    "certificate-shown": _("This is what %(hosts)s shows. Compare it with what the provider told you, then confirm."),
    "certificate-confirmed": _("The certificate of %(hosts)s is the one you confirmed."),
    "certificate-changed": _(
        "%(hosts)s shows another certificate than the one you confirmed, so we have stopped. Ask the provider whether it "
        "was renewed, and compare the new one."
    ),
    "certificate-ended": _(
        "%(hosts)s shows a certificate whose last day is over, so we send nothing. Ask the provider to renew it; then check "
        "again, and compare the new one."
    ),
    "certificate-none": _("Nothing is protected here: the address begins with http, by our admin's leave."),
    "certificate-partly": _(
        "%(hosts)s shows a certificate of a public authority; there is nothing to compare. What goes to the address that "
        "begins with http is not protected, by our admin's leave."
    ),
    "signed-in": _("We were given a session."),
    "company-found": _("This opens the company “%(company)s” (%(company_id)s)."),
    "company-other": _(
        "This opens “%(company)s” (%(company_id)s), but the connection belongs to “%(bound)s” (%(bound_id)s). Sign in to "
        "“%(bound)s”, or connect “%(company)s” as a connection of its own."
    ),
    "product-changed": _(
        "The product of “%(company)s” was %(was_product)s when we looked before, and is %(product)s now. Ask the provider "
        "whether its API is meant for that; if it is, confirm it."
    ),
    # Found by releases that did not name the company that the connection belongs to.
    "company-differs": _(
        "This opens “%(company)s” (%(company_id)s), but the connection belongs to %(bound_id)s. Give us access to the right "
        "company."
    ),
    "books-seen": _("We see these customers there: %(names)s. You call the company “%(company)s”."),
    "books-empty": _("There are no customers there yet. You call the company “%(company)s”."),
    BOOKS_AGAIN: _(
        "The access or the server was changed, so nothing is read until an owner says that these are still the books of "
        "“%(company)s”. We see these customers there: %(names)s."
    ),
    BOOKS_AGAIN_EMPTY: _(
        "The access or the server was changed, so nothing is read until an owner says that these are still the books of "
        "“%(company)s”. There are no customers there yet."
    ),
    "books-other": _(
        "None of the customers we know of “%(bound)s” is there any more; we see: %(names)s. You call it “%(company)s”. It "
        "looks like another company, so nothing is read. Give us the access to “%(bound)s”, or connect the other company as "
        "a connection of its own."
    ),
    "books-moved": _(
        "This is the access to another server or client than that of “%(bound)s”, and may open another company (you call it "
        "“%(company)s”). Give us the access to “%(bound)s”, or connect the other company as a connection of its own."
    ),
    "books-differ": _(
        "None of the customers we know of “%(company)s” is there any more, so these look like another company's books. Give "
        "us access to the right ones."
    ),
    "scope-enough": _("The access includes what we need: %(scope)s."),
    "scope-unsaid": _("We were given a session. The provider does not say what it includes."),
    "scope-more": _(
        "The access includes more than we need: %(named)s. Take it away there, or confirm that it is meant."
    ),
    "scope-more-meant": _("The access includes what we need, and more that is meant: %(named)s."),
    "scope-missing": _("The access lacks the scopes %(missing)s. Give them at the provider, then check again."),
    "scope-less": _(
        "The access includes less than it did: %(lost)s is gone. Ask the provider to give it back and check again, or confirm "
        "that it is meant."
    ),
    "scope-narrower": _(
        "The access is narrower than it was. It included %(lost)s, and does no longer, so that lists which need it would be "
        "missing. Give it back at the provider, then check again."
    ),
}


@dataclass(frozen=True)
class Company:
    """Whose books a session opens, as the provider tells it."""

    id: str
    name: str
    product: str = ""  # as the provider calls what the company has bought; '' where it does not say


def first_sync(asker: Asker) -> Finding:
    """Whether the last sync read everything, as our own log says."""
    succeeded = asker.last_sync_succeeded()
    if succeeded is None:
        return Finding(MarkState.OPEN, "first-sync-open")
    if succeeded:
        return Finding(MarkState.VERIFIED, "first-sync-done")
    # What a person can put right about it fails at its own checkpoint; the rest passes by itself.
    return Finding(MarkState.OPEN, "first-sync-incomplete")


def compared_certificates(asker: Asker) -> Finding:
    """What the hosts show now, against what a person confirmed. A host whose address begins with http shows none."""
    certificates = asker.certificates()
    self_signed = [each for each in certificates if not each.is_public]
    ended = [each.host for each in self_signed if each.ends_at <= datetime.now(UTC)]
    changed = [each.host for each in self_signed if each.is_changed]
    waiting = [each.host for each in self_signed if not each.is_confirmed]
    if ended:
        return Finding(MarkState.FAILING, "certificate-ended", {"hosts": ", ".join(ended)})
    if changed:
        return Finding(MarkState.FAILING, "certificate-changed", {"hosts": ", ".join(changed)})
    if waiting:
        return Finding(MarkState.UNCONFIRMED, "certificate-shown", {"hosts": ", ".join(waiting)})
    if self_signed:
        hosts = ", ".join(each.host for each in self_signed)
        return Finding(MarkState.VERIFIED, "certificate-confirmed", {"hosts": hosts})
    if not certificates:
        return Finding(MarkState.VERIFIED, "certificate-none")
    if any(value.lower().startswith("http:") for value in asker.settings.values()):
        hosts = ", ".join(each.host for each in certificates)
        return Finding(MarkState.VERIFIED, "certificate-partly", {"hosts": hosts})
    return Finding(MarkState.VERIFIED, "certificate-public")


def session_opens(
    look: Callable[[Asker], object], *, needed: Callable[[Asker], Sequence[str]] = lambda asker: ()
) -> Callable[[Asker], Finding]:
    """A fresh token from what is stored, and one call with it, so that no older token can make it green.

    For providers that never say whose books a session opens. `look` makes the call, and raises BadPage or CallFailed.
    `needed`: the scope that is asked for. Where the provider says that it gave less (RFC 6749 3.3), the session is not taken
    for whole. Where nothing is asked for, less than before waits for a person's word, as nobody knows what it is for.
    """

    def probe(asker: Asker) -> Finding:
        asker.fresh_token()
        look(asker)
        granted = asker.scope.replace(",", " ").split()
        if not granted:
            return Finding(MarkState.VERIFIED, "signed-in")
        if lacking := [word for word in needed(asker) if word not in granted]:
            return narrower(asker, "scope", lacking, missing="scope-missing", lost="scope-narrower")
        values = {"scope": " ".join(granted)}
        lost = [word for word in asker.seen.get("scope", "").split() if word not in granted]
        if lost and not needed(asker):
            return Finding(MarkState.UNCONFIRMED, "scope-less", {**values, "lost": ", ".join(lost)})
        return Finding(MarkState.VERIFIED, "signed-in", values)

    return probe


def signed_in(read: Callable[[Asker], Company], code: str = "signed-in") -> Callable[[Asker], Finding]:
    """As session_opens, for providers that say whose books a session opens: another company's is refused at once."""

    def probe(asker: Asker) -> Finding:
        asker.fresh_token()
        opened = read(asker)
        return _differs(asker, opened) or Finding(MarkState.VERIFIED, code, proves_company=True)

    return probe


def company(read: Callable[[Asker], Company]) -> Callable[[Asker], Finding]:
    """Which company it is, unconfirmed until the customer says that it is meant; another one than the bound one is refused."""

    def probe(asker: Asker) -> Finding:
        opened = read(asker)
        state = MarkState.VERIFIED if asker.company_confirmed else MarkState.UNCONFIRMED
        values = {"company": opened.name, "company_id": opened.id}
        if (differs := _differs(asker, opened)) is not None:
            return differs
        if opened.product:
            values["product"] = opened.product
            before = asker.seen.get("product", opened.product)
            if before != opened.product:
                values["was_product"] = before
                return Finding(MarkState.UNCONFIRMED, "product-changed", values, proves_company=True)
        return Finding(state, "company-found", values, proves_company=True)

    return probe


def _differs(asker: Asker, opened: Company) -> Finding | None:
    """The finding where the session opens another company than the connection is bound to, else None."""
    if not asker.company_id or asker.company_id == opened.id:
        return None
    values = {"company": opened.name, "company_id": opened.id, "bound_id": asker.company_id}
    return Finding(MarkState.FAILING, "company-other", {**values, "bound": asker.company_name or asker.company_id})


def books(
    *, stream: str, read: Callable[[Asker], list[tuple[str, str]]], identity: Sequence[str] = ()
) -> Callable[[Asker], Finding]:
    """For providers that never say whose books a session opens: a look at the customers, as (id, name), under the name
    the customer typed. Books in which nothing we know is left are taken for another company's.

    `identity` names the typed fields that stand for the company: the server, and the client that was made there. While
    they are the same, so is the company. Without any, or on another server, only a person can say so.
    """

    def probe(asker: Asker) -> Finding:
        customers = read(asker)
        named = asker.settings.get("company_name", "")
        bound = identity_of(asker.settings, identity) or asker.company_id or named[:LONGEST_IDENTITY]
        held, recognised = asker.count_known(stream, [key for key, _name in customers])
        is_other = bool(asker.company_id) and asker.company_id != bound
        names = ", ".join(name for _key, name in customers[:3])
        if is_other or (held and customers and not recognised):
            values = {"company": named, "bound": asker.company_name or named, "bound_id": asker.company_id or named}
            code = "books-moved" if is_other else "books-other"
            return Finding(MarkState.FAILING, code, {**values, "names": names})
        values = {"company": named, "company_id": bound, "names": names}
        proves = bool(identity) and asker.company_id == bound
        if asker.company_unproven and not proves:
            return Finding(MarkState.UNCONFIRMED, BOOKS_AGAIN if customers else BOOKS_AGAIN_EMPTY, values)
        state = MarkState.VERIFIED if asker.company_confirmed else MarkState.UNCONFIRMED
        return Finding(state, "books-seen" if customers else "books-empty", values, proves_company=proves)

    return probe


def identity_of(settings: Mapping[str, str], fields: Sequence[str]) -> str:
    """The values of these typed fields, as they stand for a company in `Connection.company_id`."""
    return " ".join(settings.get(name, "") for name in fields)[:LONGEST_IDENTITY]


def scope(*needed: str, unsaid: Callable[[Asker], Finding]) -> Callable[[Asker], Finding]:
    """What a fresh session includes; a narrower one than was asked for is a matter for the customer (RFC 6749 3.3).

    Where the provider does not say what it includes, `unsaid` finds out otherwise. Scopes beyond `needed` are named, and
    pass once a person has said that these are meant.
    """

    def probe(asker: Asker) -> Finding:
        granted = asker.scope.replace(",", " ").split()
        if not granted:
            return unsaid(asker)
        if missing := [word for word in needed if word not in granted]:
            return narrower(asker, "scope", missing, missing="scope-missing", lost="scope-narrower")
        if more := [word for word in granted if word not in needed]:
            return superfluous(asker, "scope-more", more, scope=" ".join(granted))
        return Finding(MarkState.VERIFIED, "scope-enough", {"scope": " ".join(granted)})

    return probe


def narrower(asker: Asker, name: str, lacking: Sequence[str], *, missing: str, lost: str) -> Finding:
    """What is lacking of what we need; where all of it was there before, it is said to be lost.

    `name`: of the value that holds what there is, in findings that pass; `missing`, `lost`: the codes of the two sentences.
    """
    before = set(asker.seen.get(name, "").replace(",", " ").split())
    gone = [each for each in lacking if each in before]
    code = lost if len(gone) == len(lacking) else missing
    return Finding(MarkState.FAILING, code, {"missing": ", ".join(lacking), "lost": ", ".join(gone)})


def superfluous(asker: Asker, code: str, more: Sequence[str], **values: str) -> Finding:
    """More than we need: for a person to take away or to confirm. `<code>-meant` stands there afterwards.

    `values`: what else the finding holds, to be compared with later.
    """
    rest = f" (+{len(more) - NAMED_AT_MOST})" if len(more) > NAMED_AT_MOST else ""
    values = {**values, "more": ", ".join(more), "named": ", ".join(more[:NAMED_AT_MOST]) + rest}
    if set(more) <= set(asker.confirmed.get("more", "").split(", ")):
        return Finding(MarkState.VERIFIED, f"{code}-meant", values)
    return Finding(MarkState.UNCONFIRMED, code, values)
