"""Hesabit (Iran): who it is, how it is spoken to. Facts from its web service page, version 1."""

from __future__ import annotations

from datetime import timedelta

from django.utils.translation import gettext_lazy as _

from connections.providers.hesabit.checklist import CHECKLIST, CONSENT, SCOPE, SENTENCES
from connections.providers.hesabit.dossier import DOSSIER
from connections.providers.hesabit.faults import ACCESS_LOST, FAULTS
from connections.providers.hesabit.operations import OPERATIONS
from connections.providers.hesabit.streams import STREAMS
from connections.spec.grants import AuthorizationCode, TokenBody
from connections.spec.placement import QueryParameter
from connections.spec.provider import CountedBy, CredentialField, Environment, FieldKind, Hosts, Provider, Quota
from connections.spec.wire import Wire

PROVIDER = Provider(
    slug="hesabit",
    name="Hesabit",
    language="fa",
    summary=_("Iranian invoicing: customers, invoices, items."),
    hosts={
        # OAuth guide: consent on www, tokens on the API's host but outside of /v1.
        Environment.PRODUCTION: Hosts(
            api="https://api.hesabit.com/v1",
            token="https://api.hesabit.com/oauth2/token",
            authorize="https://www.hesabit.com",
        ),
    },
    token_path="/oauth2/token",
    credentials=(
        CredentialField(
            "company_name", _("Your company's name"), kind=FieldKind.WORDS, secret=False, shortest=2, longest=200
        ),
    ),
    grants=(
        AuthorizationCode(
            name=CONSENT,
            label=_("Sign in at Hesabit and approve us"),
            authorize_path="/oauth2/authorize",
            scope=" ".join(SCOPE),
            extra={"access_type": "offline"},
            body=TokenBody.JSON,
            lifetime=timedelta(seconds=36000),
            state_promised=False,
            lost=ACCESS_LOST,
        ),
    ),
    placement=QueryParameter("access_token"),  # step 4 of the OAuth guide
    quotas=(
        # 20,000 a day for one client id, whoever's connection it is.
        Quota(20_000, per=timedelta(days=1), counted_by=CountedBy.CLIENT),
        Quota(10, per=timedelta(seconds=1), counted_by=CountedBy.CONNECTION),
    ),
    streams=STREAMS,
    operations=OPERATIONS,
    checklist=CHECKLIST,
    sentences=SENTENCES,
    tells_company=False,
    faults=FAULTS,
    wires={"": Wire(on_reads=True)},  # JSON: Content-Type on every request
    request_id_headers=(),
    connect_needs=(_("Someone who may sign in to Hesabit for your company, for about five minutes."),),
    data_moved=(
        _(
            "We read customers, invoices and items. Hesabit stays the master; we change something only when one of you asks."
        ),
    ),
    warnings=(
        _(
            "Hesabit wants the session's token in the address of every request, where machines on the way may keep it. We "
            "keep it out of everything of ours; it ends after ten hours."
        ),
    ),
    after_leaving=(
        _("In Hesabit's panel, take back the approval of Pilotage."),
        _("A session that was given before may work for up to ten hours more; we have destroyed ours."),
    ),
    api_version="v1",
    open_fields="customer_id due item_id online_payment quantity theme_id",
    dossier=DOSSIER,
    assumptions=(
        "login: state comes back with the code",
        "login: PKCE is not mentioned; our challenge is sent and may be ignored",
        "login: no issuer is documented; an iss that comes back must be at one of the provider's own hosts",
        "token: a refresh answer without a refresh token keeps the old one",
        "token: the access token in the query is the only documented place",
        "lists: a bare array, or a list under data, items, results or the resource's name",
        "lists: page counts from 1 and limit goes up to 100; where every page is the same, a round number of records is cut",
        "errors: the status decides; a body with error is a refusal even in a 200",
        "quota: the day's beginning is unknown, so no 24 hours hold more than 20,000 calls",
        "customers, invoices, items: what a read shows beyond what a creation takes",
        "company: nothing tells whose account it is",
        "request id: no header is documented; the usual ones are kept if they are sent",
    ),
)
