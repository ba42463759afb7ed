"""Procountor (Finland): who it is, how it is spoken to. Facts from its certification page and API documentation."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

from django.utils.translation import gettext_lazy as _

from connections.providers.procountor.checklist import CHECKLIST, SENTENCES
from connections.providers.procountor.faults import FAULTS
from connections.providers.procountor.streams import OPERATIONS, STREAMS
from connections.spec.grants import Client, ClientCredentials
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
            "m2m", client=Client.OURS, also=("api_key",), redirect_uri=True, lifetime=timedelta(seconds=3600)
        ),
    ),
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
        _("We read business partners and invoices. Procountor stays the master; we never change anything there."),
    ),
    api_version="latest",
    versioned=with_version,
    assumptions=(
        "token: how a refused API key, a refused client and a forbidden usage setting are told apart (status and code)",
        "lists: previousId with orderById=ASC answers records with larger ids",
        "lists: versionStartDate is inclusive and in Finnish local time, to the second",
        "rights: a missing right may show as an empty list instead of 403",
        "request id: no header is documented; X-Request-Id is kept if it is sent",
    ),
)
