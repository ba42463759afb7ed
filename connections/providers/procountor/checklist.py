"""Procountor's onboarding: its certification page, chapter 12, as checkpoints with probes."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from connections.providers.procountor.rights import missing, narrowing, superfluous, tree_of
from connections.providers.procountor.streams import STREAMS
from connections.spec import checkpoints, proofs
from connections.spec.checklist import (
    TOKEN,
    Asker,
    Attestation,
    Checkpoint,
    Finding,
    Inference,
    MarkState,
    Probe,
    Tells,
)
from connections.spec.envelope import id_of, required_id

M2M, SIGN_IN, KEY_LOGIN = "m2m", "sign-in", "key-login"
MANAGER = _("someone with Management rights in Procountor")

SENTENCES = {
    **proofs.SENTENCES,
    "said-so": _("%(who)s told us that this is done. Procountor's API cannot show it to us."),
    "key-works-so-usage-allowed": _("Procountor accepts our requests, so the use of API clients is allowed."),
    "key-accepted": _("Procountor gave us a session."),
    "user-seen": _(
        "The access belongs to the user “%(user)s” (id %(user_id)s). Whether that is a technical user only you can tell."
    ),
    "user-changed": _(
        "The access belonged to the user “%(was_user)s” (id %(was_user_id)s), and belongs to “%(user)s” (id %(user_id)s) "
        "now. Whether that is a technical user only you can tell."
    ),
    "user-meant": _(
        "The access belongs to the user “%(user)s” (id %(user_id)s), who was confirmed as a technical user."
    ),
    # Found by releases that did not look for more than what is needed.
    "rights-enough": _("The user may read what we need: %(rights)s."),
    "rights-only": _("The user may read what we need, and nothing else that Procountor tells us of: %(rights)s."),
    "rights-more": _(
        "The user may do more than view what we read: %(named)s. Take it away in Procountor and check again, or confirm "
        "that it is meant."
    ),
    "rights-more-meant": _("The user may read what we need, and has further rights that are meant: %(named)s."),
    "person-may-read": _("You may read what we need: %(rights)s. What else you may do, the access may do as well."),
    # Of releases before, whose finding called it "rights".
    "rights-missing": _("The user lacks rights in Procountor: %(rights)s."),
    "rights-lacking": _(
        "The user lacks rights in Procountor: %(missing)s. Give the user viewing rights for these, then check again."
    ),
    "rights-lost": _(
        "The user had these rights in Procountor when we looked before, and has them no longer: %(lost)s. Give them back, "
        "then check again."
    ),
    "rights-narrowed": _(
        "The user's rights are narrowed by: %(limits)s. Lists would look complete and would not be. Take the limitation away, "
        "then check again."
    ),
    "company-found": _("The access opens the company “%(company)s” (company id %(company_id)s)."),
    "company-other": _(
        "The access opens “%(company)s” (company id %(company_id)s), but this connection belongs to “%(bound)s” (company id "
        "%(bound_id)s). Create the key, or sign in, in “%(bound)s”; or connect “%(company)s” as a connection of its own."
    ),
    "product-changed": _(
        "The product variant of “%(company)s” in Procountor was %(was_product)s when we looked before, and is %(product)s "
        "now. Procountor's API is meant for Financials: ask Procountor whether this one will do, then confirm it."
    ),
    "company-differs": _(
        "The access opens “%(company)s” (company id %(company_id)s), but this connection belongs to %(bound_id)s. Create the "
        "key, or sign in, in the right company."
    ),
}


def _session(asker: Asker) -> dict[str, Any]:
    body = asker.ask("session").body
    required_id(body, "companyId")
    return body


def company(asker: Asker) -> proofs.Company:
    """The company that the session is of. Raises BadPage.

    `productVersion` is in the session's description (API reference, sessioninfo); which words it may hold is not told.
    """
    session = _session(asker)
    product = session.get("productVersion")
    name = str(session.get("name") or "?")
    return proofs.Company(required_id(session, "companyId"), name, product if isinstance(product, str) else "")


RIGHTS_FALSE = "The tree tells rights, not records: a limitation that we do not know of would cut lists all the same."
SESSION_FALSE = "A session says nothing of what the user may read: that is the checkpoint “rights”."
API_KEY = Probe(proofs.signed_in(company, code="key-accepted"))


def technical_user(asker: Asker) -> Finding:
    """Whose key it is. Nothing tells a technical user from a natural person, so a person says which it is."""
    session = _session(asker)
    values = {"user": str(session.get("userName") or "?"), "user_id": id_of(session, "userId") or "?"}
    if values["user_id"] == asker.confirmed.get("user_id"):
        return Finding(MarkState.VERIFIED, "user-meant", values)
    if before := asker.confirmed.get("user_id"):
        values |= {"was_user": asker.confirmed.get("user", "?"), "was_user_id": before}
        return Finding(MarkState.UNCONFIRMED, "user-changed", values)
    return Finding(MarkState.UNCONFIRMED, "user-seen", values)


def rights(asker: Asker) -> Finding:
    """`GET /users/rights` against what the wanted streams need; missing rights can show as empty lists."""
    tree = tree_of(asker.ask("rights").body)
    permissions = [
        stream.permission for stream in STREAMS if stream.permission and stream.name in asker.streams_wanted
    ]
    paths = tuple(dict.fromkeys(path for permission in permissions for path in permission.needs))
    if lacking := missing(tree, paths):
        return proofs.narrower(asker, "rights", lacking, missing="rights-lacking", lost="rights-lost")
    if limits := narrowing(tree):
        return Finding(MarkState.FAILING, "rights-narrowed", {"limits": ", ".join(limits)})
    if asker.auth_method == SIGN_IN:
        return Finding(MarkState.VERIFIED, "person-may-read", {"rights": ", ".join(paths)})
    if more := superfluous(tree, paths):
        return proofs.superfluous(asker, "rights-more", more, rights=", ".join(paths))
    return Finding(MarkState.VERIFIED, "rights-only", {"rights": ", ".join(paths)})


CHECKLIST = (
    Checkpoint(
        "usage-settings",
        _("Allow API clients"),
        _("Your company's usage settings must allow invoiceable API clients."),
        _("Until this is allowed, Procountor refuses every integration that is charged for."),
        Inference("api-key", "key-works-so-usage-allowed"),
        MANAGER,
        where=("Management", "Company info", "Usage settings", "Integration settings"),
        how=(_("Set “Allow the usage of invoiceable API clients” to allowed and save."),),
        attest=_("I have allowed the usage of invoiceable API clients."),
        may_hand_off=True,
        false_answer="The setting may be judged only when a token is asked for: an hour may pass until it is seen.",
    ),
    Checkpoint(
        "technical-user",
        _("Create a technical user"),
        _("A user of its own for this connection, not a person's."),
        _("A technical user never leaves the company. A connection on a person's login breaks when that person does."),
        Probe(technical_user),
        MANAGER,
        where=("Management", "Users and privileges", "Create new user"),
        how=(_("Name the user after your company, our software and “API”, for example “Aamu Oy Pilotage API”."),),
        avoid=(_("Do not use a natural person's login."),),
        needs=("api-key",),
        attest=_("I have created a technical user."),
        confirm=_("Yes, this is a technical user."),
        meant={"user-seen": "user-meant", "user-changed": "user-meant"},
        tells=Tells.USER,
        may_hand_off=True,
        auth_methods=(M2M,),
        asks=("session",),
        false_answer="Nothing tells a technical user from a natural person: a person says which it is.",
    ),
    Checkpoint(
        "rights",
        _("Give it the rights it needs, and no more"),
        _("Viewing what we read: registers, invoices, receipts, reports, bank statements."),
        _(
            "With too few rights Procountor answers with empty lists that look complete. With too many, a leak does more harm."
        ),
        Probe(rights),
        MANAGER,
        where=("Management", "Users and privileges"),
        how=(
            _("Choose the role Customised."),
            _(
                "Give viewing rights to the customer, supplier and product registers, and to the search of sales and "
                "purchase invoices."
            ),
            _("Give viewing rights to the journal and receipt search, accounting reports, and bank statements."),
        ),
        avoid=(_("Do not limit the user to own invoices or to certain dimensions: lists would silently be cut."),),
        needs=("api-key",),
        attest=_("I have given the rights."),
        confirm=_("These rights are meant."),
        meant={"rights-more": "rights-more-meant"},
        tells=Tells.RIGHTS,
        may_hand_off=True,
        auth_methods=(M2M,),
        asks=("rights",),
        false_answer=RIGHTS_FALSE,
    ),
    Checkpoint(
        "rights",
        _("Have the rights we need"),
        _("Viewing what we read: registers, invoices, receipts, reports, bank statements."),
        _("With too few rights Procountor answers with empty lists that look complete."),
        Probe(rights),
        MANAGER,
        where=("Management", "Users and privileges"),
        how=(
            _(
                "Whoever signs in needs viewing rights to the customer, supplier and product registers, and to the search of "
                "sales and purchase invoices."
            ),
            _("And viewing rights to the journal and receipt search, accounting reports, and bank statements."),
        ),
        avoid=(_("Do not limit the user to own invoices or to certain dimensions: lists would silently be cut."),),
        needs=("api-key",),
        attest=_("I have given the rights."),
        tells=Tells.RIGHTS,
        may_hand_off=True,
        auth_methods=(SIGN_IN,),
        asks=("rights",),
        false_answer=RIGHTS_FALSE,
    ),
    Checkpoint(
        "m2m-only",
        _("Allow only M2M login"),
        _("The technical user may use the API, and nothing else."),
        _("Otherwise whoever holds the key has the same power as somebody in Procountor's own pages."),
        Attestation("said-so"),
        MANAGER,
        where=("Management", "Users and privileges", "Allow only M2M login to API"),
        how=(_("Set “Allow only M2M login to API” to “In use” for the technical user."),),
        avoid=(_("Never set this for a natural person: it locks that person out of Procountor."),),
        attest=_("I have set “Allow only M2M login to API” to “In use” for the technical user."),
        may_hand_off=True,
        auth_methods=(M2M,),
        false_answer="A person's word: Procountor's answers do not tell the setting in a way that its document explains.",
    ),
    Checkpoint(
        "api-key",
        _("Create the API key"),
        _("The key is bound to your company, the technical user and our software."),
        _("With the key we ask Procountor for a session of one hour at a time. You can revoke it at any moment."),
        API_KEY,
        MANAGER,
        where=("Personal info and settings", "API client keys", "New API key"),
        how=(
            _("Choose the technical user and paste our client id, which is shown below."),
            _("Copy the key that Procountor shows once, and paste it into the field below."),
            _("Or press Connect: sign in to Procountor, choose the technical user, and the key comes here by itself."),
        ),
        avoid=(
            _("Do not send the key by e-mail or chat, and never put it into an address."),
            _("Internet Explorer and Safari 9 or older are not supported by the login page."),
        ),
        fields=("api_key",),
        connect=(KEY_LOGIN,),
        shows_client_id=True,
        may_hand_off=True,
        auth_methods=(M2M,),
        asks=(TOKEN, "session"),
        false_answer=SESSION_FALSE,
    ),
    Checkpoint(
        "api-key",
        _("Sign in to Procountor"),
        _("You sign in, choose the company, and allow Pilotage to act with your rights there."),
        _("Only so can payments be confirmed in the Procountor Key app. The access lasts six months at most."),
        API_KEY,
        _("a natural person, or a technical user who may sign in"),
        how=(_("Press Connect, sign in with a browser that Procountor supports, choose the company, and allow it."),),
        avoid=(
            _("Do not use a person's login for reading alone: when the password changes, the connection ends."),
            _("Internet Explorer and Safari 9 or older are not supported by the login page."),
        ),
        connect=(SIGN_IN,),
        may_hand_off=True,
        auth_methods=(SIGN_IN,),
        asks=(TOKEN, "session"),
        false_answer=SESSION_FALSE,
    ),
    checkpoints.told_company(
        company,
        needs="api-key",
        asks="session",
        why=_(
            "A key opens one company. We make sure that no other company's books end up here, now and when you reconnect."
        ),
    ),
    checkpoints.first_sync("company", "rights", line=_("We read everything once; afterwards only what changed.")),
)
