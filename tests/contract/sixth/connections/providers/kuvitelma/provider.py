"""Kuvitelma: who it is, how it is spoken to, what is read."""

from __future__ import annotations

from datetime import timedelta

from connections.providers.kuvitelma.checklist import CHECKLIST, CONSENT, OWN_CLIENT
from connections.providers.kuvitelma.faults import ACCESS_LOST, FAULTS
from django.utils.translation import gettext_lazy as _

from connections.spec import proofs
from connections.spec.grants import AuthorizationCode, ClientCredentials, ClientOwner, TokenBody
from connections.spec.operations import Operation, Parameter, ParameterPlace
from connections.spec.placement import QueryParameter
from connections.spec.provider import CountedBy, CredentialField, Environment, Hosts, Provider, Quota
from connections.spec.streams import Column, Envelope, Numbered, Stream

ID = Parameter("id", ParameterPlace.PATH, required=True)
SOURCE = "invented"

PROVIDER = Provider(
    slug="kuvitelma",
    name="Kuvitelma",
    language="fi",
    summary=_("Invented accounting: things."),
    hosts={
        Environment.PRODUCTION: Hosts(
            api="https://api.kuvitelma.example/v1",
            token="https://api.kuvitelma.example/v1/token",
            authorize="https://kuvitelma.example",
        )
    },
    token_path="/token",
    credentials=(
        CredentialField("client_id", _("Client id"), secret=False, shortest=1),
        CredentialField("client_secret", _("Client secret")),
    ),
    grants=(
        AuthorizationCode("/consent", ACCESS_LOST, CONSENT, _("Consent"), body=TokenBody.JSON),
        ClientCredentials(OWN_CLIENT, _("A client of your own"), client=ClientOwner.CUSTOMERS, body=TokenBody.JSON),
    ),
    placement=QueryParameter("key"),
    quotas=(Quota(20, per=timedelta(seconds=1), counted_by=CountedBy.CONNECTION),),
    streams=(
        Stream(
            "things",
            _("Things"),
            "things.list",
            Numbered(50, Envelope(("things",), bare=True)),
            columns=(Column(_("Name"), "name", is_searched=True), Column(_("Edits"), "edits")),
            source=SOURCE,
        ),
    ),
    operations=(
        Operation("me", "GET", "/me", _("Whose books these are"), source=SOURCE),
        Operation("things.list", "GET", "/things", _("List things"), source=SOURCE),
        Operation("things.get", "GET", "/things/{id}", _("Read a thing"), (ID,), source=SOURCE),
        Operation("things.create", "POST", "/things", _("Make a thing"), (), {"name": "Esimerkki"}, source=SOURCE),
        Operation("things.delete", "DELETE", "/things/{id}", _("Delete a thing"), (ID,), source=SOURCE),
    ),
    checklist=CHECKLIST,
    sentences=proofs.SENTENCES,
    faults=FAULTS,
    connect_needs=(_("A minute."),),
    data_moved=(_("We read things."),),
    assumptions=("lists: the envelope",),
)
