"""Procountor (Finland): who it is, how it is spoken to. Facts from its certification page and API documentation."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

from django.utils.translation import gettext_lazy as _

from connections.providers.procountor.activation import ACTIVATION
from connections.providers.procountor.certification import CERTIFICATION, version_named
from connections.providers.procountor.checklist import CHECKLIST, KEY_LOGIN, M2M, SENTENCES, SIGN_IN
from connections.providers.procountor.dossier import DOSSIER
from connections.providers.procountor.faults import ACCESS_LOST, FAULTS
from connections.providers.procountor.operations import OPERATIONS
from connections.providers.procountor.rights import in_words
from connections.providers.procountor.streams import STREAMS
from connections.spec.grants import AuthorizationCode, ClientCredentials, ClientOwner, KeyLogin
from connections.spec.placement import BearerHeader
from connections.spec.provider import (
    CountedBy,
    CredentialField,
    Environment,
    Hosts,
    Provider,
    Quota,
)


def with_version(api: str, version: str) -> str:
    """`/api` becomes `/<version>/api` (API requests: latest, supported, vYYMM); an address that names one keeps it."""
    is_plain = urlsplit(api).path == "/api"
    return f"{api.removesuffix('/api')}/{version}/api" if version and is_plain else api


PROVIDER = Provider(
    slug="procountor",
    name="Procountor",
    language="en",  # its menu paths are quoted as its own English documentation writes them
    summary=_("Finnish financial management: invoices, partners, ledger."),
    hosts={
        # General information, OAuth: production and the public testing server (PTS).
        Environment.PRODUCTION: Hosts(
            api="https://api.procountor.com/api",
            token="https://api.procountor.com/api/oauth/token",
            authorize="https://api.procountor.com",
        ),
        Environment.TEST: Hosts(
            api="https://pts-api.procountor.com/api",
            token="https://pts-api.procountor.com/api/oauth/token",
            authorize="https://pts-api.procountor.com",
        ),
    },
    token_path="/oauth/token",
    credentials=(
        CredentialField(
            "api_key",
            _("API key"),
            help=_("Procountor shows it once, right after you created it. Paste it here; we store it sealed."),
            shortest=16,
        ),
    ),
    # Certification 3.1: client credentials with an API key; no refresh token, the request is repeated.
    grants=(
        ClientCredentials(
            M2M,
            _("API key of a technical user (recommended)"),
            client=ClientOwner.OURS,
            also=("api_key",),
            redirect_uri=True,
            lifetime=timedelta(seconds=3600),
        ),
        # Certification 3.2: refresh tokens live six months, and at most 100 of one client, company and user.
        AuthorizationCode(
            authorize_path="/login",
            lost=ACCESS_LOST,
            name=SIGN_IN,
            label=_("A person signs in, who can confirm payments"),
            redirect_uri=True,
            lifetime=timedelta(seconds=3600),
            refresh_lifetime=timedelta(days=182),
            most_refresh_tokens=100,
            logout="logout",
        ),
    ),
    # M2M authentication: a login page whose code is traded for an API key.
    logins=(
        KeyLogin(
            authorize_path="/keylogin",
            exchange_path="/oauth/key",
            credential="api_key",
            answer="api_key",
            name=KEY_LOGIN,
            label=_("Sign in to Procountor and have the key made"),
        ),
    ),
    activation=ACTIVATION,
    placement=BearerHeader(),
    # Certification 7: 60 requests a second per customer on production.
    quotas=(Quota(60, per=timedelta(seconds=1), counted_by=CountedBy.COMPANY),),
    streams=STREAMS,
    operations=OPERATIONS,
    checklist=CHECKLIST,
    sentences=SENTENCES,
    faults=FAULTS,
    connect_needs=(
        _("Someone with Management rights to your company in Procountor, for about ten minutes."),
        _("The Procountor Financials version."),
        _("Procountor may charge you for the use of invoiceable API clients; ask them for your price."),
    ),
    data_moved=(
        _(
            "We read business partners, products, invoices, receipts, payments, bank statements and the chart of accounts."
        ),
        _("Procountor stays the master; we change something there only when one of you asks for it."),
    ),
    in_words=in_words,
    after_leaving=(
        _("In Procountor, under Personal info and settings, API client keys, revoke the key."),
        _("Under Management, Users and privileges, remove the technical user."),
        _("To end the integration for good, write to integrations@procountor.com."),
    ),
    api_version="latest",
    version_named=version_named,
    versioned=with_version,
    certification=CERTIFICATION,
    open_fields=(
        "defaultForInvoice defaultForPayment discount dueDate endDate explanationCode identifierType"
        " inAccountingCurrency invoiceChannel invoiceId isOffer isOpen ledgerAccountCode newDueDate"
        " orderNo partnerId payDate paymentDate productGroupId productId receiptDate startDate unit"
        " valueDate vat vatStatus"
    ),
    dossier=DOSSIER,
    assumptions=(
        "token: how a refused API key, a refused client and a forbidden usage setting are told apart (status and code)",
        "lists: previousId with orderById=ASC answers records with larger ids",
        "products: travel products come by type=TRAVEL alone; the list without a type holds the others",
        "bank accounts: a status of PASSIVE, INACTIVE or CLOSED means that no statements need be there",
        "lists: versionStartDate is inclusive and in Finnish local time, to the second",
        "rights: a missing right may show as an empty list instead of 403",
        "login: a code of keylogin is traded at {api}/oauth/key; state comes back",
        "login: PKCE is not mentioned; our challenge is sent and may be ignored",
        "login: no issuer is documented; an iss that comes back must be at one of the provider's own hosts",
        "token: whether a refresh answers with a new refresh token; the old one is kept where it does not",
        "token: which of a hundred refresh tokens dies when another is given",
        "logout: 200 or 204, and the refresh token dies with the session",
        "activation: the browser comes back with requestId; the two calls take our client id and secret as HTTP Basic",
        "updates: a stale version is refused with 400 or 409",
        "rights: which right opens which list",
        "version: /latest/ in the path; an admin may choose another one",
        "request id: no header is documented; the usual ones are kept if they are sent",
    ),
)
