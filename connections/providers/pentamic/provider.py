"""Pentamic (Vietnam): who it is, how it is spoken to. Facts from its API reference; every customer has servers of its own."""

from __future__ import annotations

from datetime import timedelta

from django.utils.translation import gettext_lazy as _

from connections.providers.pentamic import dialect
from connections.providers.pentamic.checklist import CHECKLIST, SENTENCES
from connections.providers.pentamic.dossier import DOSSIER
from connections.providers.pentamic.faults import FAULTS
from connections.providers.pentamic.streams import OPERATIONS, STREAMS
from connections.spec.grants import ClientCredentials, ClientOwner
from connections.spec.placement import TypedHeader
from connections.spec.provider import (
    CountedBy,
    CredentialField,
    CustomerHosts,
    Deadlines,
    Environment,
    FieldKind,
    Provider,
    Quota,
)
from connections.spec.wire import Wire

PROVIDER = Provider(
    slug="pentamic",
    name="Pentamic",
    language="en",
    summary=_("Vietnamese accounting: customers and their invoices."),
    hosts={
        # Basic steps: both addresses come from the administrator; certificates are self-signed (Security).
        Environment.PRODUCTION: CustomerHosts(
            api="api_url", api_path="/api", token="auth_url", token_path="/connect/token", pinned=True
        ),
    },
    token_path="/connect/token",
    credentials=(
        CredentialField("api_url", _("Address of the API"), kind=FieldKind.ADDRESS, secret=False),
        CredentialField("auth_url", _("Address of the authentication server"), kind=FieldKind.ADDRESS, secret=False),
        CredentialField(
            "format", _("Format"), kind=FieldKind.CHOICE, secret=False,
            choices=(("json", _("JSON (recommended)")), ("xml", _("XML, for older servers"))),
        ),
        CredentialField(
            "tax_codes", _("Tax codes are sent"), kind=FieldKind.CHOICE, secret=False,
            choices=(("text", _("as text, which keeps a leading zero")), ("number", _("as bare digits, as in the document"))),
        ),
        CredentialField(
            "xml_namespace", _("XML namespace"), kind=FieldKind.WORDS, secret=False, shortest=1, longest=300, optional=True,
            help=_("Only for XML, and only to change something there. Pentamic's administrator knows it."),
        ),
        CredentialField("client_id", _("Client id"), secret=False, shortest=1, longest=200),
        CredentialField(
            "client_secret", _("Client secret"), help=_("We store it sealed and never show it again."), shortest=4
        ),
        CredentialField("scope", _("Scope"), kind=FieldKind.WORDS, secret=False, shortest=1, longest=200),
        CredentialField("company_name", _("Your company's name"), kind=FieldKind.WORDS, secret=False, shortest=2, longest=200),
    ),
    # Request token: client credentials with the scope that was handed out; no refresh token.
    grants=(
        ClientCredentials(
            "client-credentials", _("Client id and secret from Pentamic's administrator"), client=ClientOwner.CUSTOMERS,
            also=("scope",), lifetime=timedelta(seconds=3600),
        ),
    ),
    placement=TypedHeader(),  # Making request: built from the returned token_type
    # No limit is documented: gentle.
    quotas=(Quota(10, per=timedelta(seconds=1), counted_by=CountedBy.CONNECTION),),
    streams=STREAMS,
    operations=OPERATIONS,
    checklist=CHECKLIST,
    sentences=SENTENCES,
    tells_company=False,
    faults=FAULTS,
    wires={
        "json": Wire(decode=dialect.read_json, encode=dialect.write_json),
        "xml": Wire("application/xml", "application/xml", decode=dialect.read_xml, encode=dialect.write_xml),
    },
    wire_field="format",
    # A list has no pages; a sibling product's calls were seen to take up to 264 s.
    deadlines=Deadlines(read=120.0, total=300.0, body_bytes=50_000_000),
    request_id_headers=(),
    connect_needs=(
        _("Two addresses, a client id, a client secret and a scope from Pentamic's administrator."),
        _("The administrator on the telephone for a minute, to compare certificates."),
    ),
    data_moved=(
        _("We read customers and their invoices. Pentamic stays the master; we change customers only when one of you asks."),
    ),
    after_leaving=(
        _("Ask Pentamic's administrator to disable the client."),
        _("A session that was given before may work for up to an hour more; we have destroyed ours."),
    ),
    open_fields="customerId paid",
    dossier=DOSSIER,
    assumptions=(
        "lists: the whole list comes in one answer, as a bare array",
        "customers: taxCode may be an invalid JSON number; a 9-digit one has probably lost its zero and is kept as it came",
        "customers: fields left out of PUT may be cleared",
        "invoices: every field but id is unknown; ids may repeat from customer to customer",
        "xml: element names and namespace are those of .NET's data contracts; format is chosen by Accept",
        "xml: what is a list is seen by its name, or where one of its kind has several items",
        "errors: which status a token refusal has",
        "errors: 403 without a known code is a missing right",
        "paths: a slash at the end is not needed",
        "company: nothing tells whose books these are",
        "request id: no header is documented; the usual ones are kept if they are sent",
    ),
)  # fmt: skip
