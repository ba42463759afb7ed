"""SmartBusiness (Switzerland): who it is, how it is spoken to. Facts from its API introduction and authentication pages."""

from __future__ import annotations

from datetime import timedelta

from django.utils.translation import gettext_lazy as _

from connections.providers.smartbusiness.checklist import CHECKLIST, CONSENT, OWN_CLIENT, SCOPES, SENTENCES
from connections.providers.smartbusiness.dossier import DOSSIER
from connections.providers.smartbusiness.faults import ACCESS_LOST, FAULTS
from connections.providers.smartbusiness.operations import OPERATIONS
from connections.providers.smartbusiness.streams import STREAMS
from connections.spec.grants import AuthorizationCode, ClientCredentials, ClientOwner, TokenBody
from connections.spec.placement import BearerHeader
from connections.spec.provider import CountedBy, CredentialField, Environment, Hosts, Provider, Quota

LIFETIME = timedelta(hours=12)  # Authentication: expires_in 43200

PROVIDER = Provider(
    slug="smartbusiness",
    name="SmartBusiness",
    language="en",
    summary=_("Swiss invoicing: contacts, invoices, offers, catalogue."),
    hosts={
        Environment.PRODUCTION: Hosts(
            api="https://api-smartbusiness.postfinance.ch/v2",
            token="https://api-smartbusiness.postfinance.ch/v2/auth/access-tokens",
            authorize="https://api-smartbusiness.postfinance.ch/v2",
        ),
    },
    token_path="/auth/access-tokens",
    credentials=(
        CredentialField("client_id", _("Client id"), secret=False, shortest=4, longest=200),
        CredentialField("client_secret", _("Client secret"), help=_("We store it sealed and never show it again.")),
    ),
    # Authentication: a JSON body at /auth/access-tokens; refresh tokens never expire, and work once.
    grants=(
        AuthorizationCode(
            name=CONSENT,
            label=_("Sign in at SmartBusiness and allow us (recommended)"),
            authorize_path="/auth/authorize",
            scope=" ".join(SCOPES),
            scope_on_refresh=True,  # the vendor's own library sends it
            body=TokenBody.JSON,
            lifetime=LIFETIME,
            lost=ACCESS_LOST,
        ),
        ClientCredentials(
            OWN_CLIENT,
            _("Register a client of your own and paste its secret"),
            client=ClientOwner.CUSTOMERS,
            scope=" ".join(SCOPES),
            body=TokenBody.JSON,
            lifetime=LIFETIME,
        ),
    ),
    placement=BearerHeader(),
    # Introduction: the real limit stands in X-Rate-Limit-*; a smaller one was measured (360 a minute) than the example says.
    quotas=(Quota(5, per=timedelta(seconds=1), counted_by=CountedBy.CONNECTION),),
    streams=STREAMS,
    operations=OPERATIONS,
    checklist=CHECKLIST,
    sentences=SENTENCES,
    faults=FAULTS,
    connect_needs=(
        _("A SmartBusiness account whose plan includes the API; SmartBusiness may charge for such a plan."),
        _("Someone who may sign in there for your company, for about five minutes."),
    ),
    data_moved=(
        _("We read contacts, invoices, offers, order confirmations, products, services and bank accounts."),
        _("SmartBusiness stays the master; we change something there only when one of you asks for it."),
    ),
    after_leaving=(
        _("In SmartBusiness, under Home, Users, API V2, revoke the connected application or delete the client."),
        _("A session that was given before may work for up to twelve hours more; we have destroyed ours."),
    ),
    api_version="v2",
    open_fields=(
        "cash_discount_date communication_language contact_address_id contact_id contact_person_id"
        " discount_type due including_vat layout_id main_address_id page_amount paid_date payment_grace"
        " period_from period_to relation unit_id vat vat_included vat_rate"
    ),
    dossier=DOSSIER,
    assumptions=(
        "token: JSON body; a form body may be accepted, too",
        "token: success is 200 or 201",
        "token: the body of an error (error, error_description or message, hint)",
        "token: PKCE is not documented; our challenge is sent and may be ignored",
        "login: no issuer is documented; an iss that comes back must be at one of the provider's own hosts",
        "token: a refresh keeps the access token that still lives",
        "lists: filter by number finds a document by its own number",
        "rate: the allowance is counted by connection; its real size is told in X-Rate-Limit-Limit",
        "times: without a zone, taken as Swiss local time",
        "errors: nested keys of 422 are dotted paths",
        "environments: no test environment is published",
    ),
)
