"""Simutek GKS4 (Sweden): who it is, how it is spoken to. Facts from the page of its documentation that there is."""

from __future__ import annotations

from datetime import timedelta

from django.utils.translation import gettext_lazy as _

from connections.providers.simutek.checklist import CHECKLIST, SENTENCES
from connections.providers.simutek.dossier import DOSSIER
from connections.providers.simutek.faults import FAULTS
from connections.providers.simutek.streams import OPERATIONS, STREAMS
from connections.spec.grants import ClientCredentials, ClientOwner
from connections.spec.placement import BearerHeader
from connections.spec.provider import (
    CountedBy,
    CredentialField,
    CustomerHosts,
    Environment,
    FieldKind,
    Provider,
    Quota,
)
from connections.spec.wire import Wire

PROVIDER = Provider(
    slug="simutek",
    name="Simutek GKS4",
    language="sv",
    summary=_("Swedish business system for the graphic trade: customers and sales orders."),
    hosts={
        # Authentication: the token endpoint is fixed; the API's host is not given, so each customer is asked for it.
        Environment.PRODUCTION: CustomerHosts(
            api="api_url", api_path="/api/v1", token_address="https://id.simutek.se/connect/token"
        ),
    },
    token_path="/connect/token",
    credentials=(
        CredentialField("api_url", _("Address of your GKS4's API"), kind=FieldKind.ADDRESS, secret=False),
        CredentialField("client_id", _("Client id"), secret=False, shortest=1, longest=200),
        CredentialField(
            "client_secret", _("Client secret"), help=_("We store it sealed and never show it again."), shortest=4
        ),
        CredentialField("company_name", _("Your company's name"), kind=FieldKind.WORDS, secret=False, shortest=2, longest=200),
    ),
    # Authentication: client credentials without a scope, in the form body.
    grants=(
        ClientCredentials(
            "client-credentials",
            _("Client id and secret from Simutek"),
            client=ClientOwner.CUSTOMERS,
            lifetime=timedelta(hours=1),
        ),
    ),
    placement=BearerHeader(),
    # No limit is documented: gentle.
    quotas=(Quota(2, per=timedelta(seconds=1), counted_by=CountedBy.CONNECTION),),
    streams=STREAMS,
    operations=OPERATIONS,
    checklist=CHECKLIST,
    sentences=SENTENCES,
    tells_company=False,
    faults=FAULTS,
    wires={"": Wire(on_reads=True)},  # Headers: Content-Type on every call, reads included
    request_id_headers=(),
    connect_needs=(
        _("A client id, a client secret and the address of your API, from Simutek."),
        _("Somebody who knows your customer register, for a minute."),
    ),
    data_moved=(
        _("We read customers. GKS4 stays the master; we create customers and orders only when one of you asks."),
        _("GKS4 does not tell us about orders: one whose answer is lost is put before one of you, and never sent twice."),
    ),
    after_leaving=(
        _("Ask Simutek to remove the client from your GKS4."),
        _("A session that was given before may work until it ends; we have destroyed ours."),
    ),
    open_fields="countryCode",
    dossier=DOSSIER,
    assumptions=(
        "search: the path is /companies; the parameters are customerNumber, name, corporateIdentityNumber, page, pageSize",
        "search: the list stands under items, data, results or value, or is the answer itself",
        "orders: the path is /salesorders; the names of their fields; rows",
        "customers: number null means that GKS4 assigns one, which it does not tell",
        "customers: a number that exists already is refused with 400 or 409",
        "errors: problem details, if a body comes at all",
        "token: expires_in may be missing; an hour is taken then",
        "company: nothing tells whose installation it is",
        "request id: no header is documented; the usual ones are kept if they are sent, not traceId in problem details",
    ),
)  # fmt: skip
