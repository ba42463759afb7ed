"""The forms of a tenant's way in validate what they hold: what cannot be right is told at its field, before any service."""

from __future__ import annotations

from typing import Any

import pytest

from connections.tenancy.scope import Actor, tenant_scope
from connections.vault.models import Credential
from portal.onboarding import services
from portal.onboarding.forms import CompaniesForm, CredentialsForm
from portal.onboarding.marks import checkpoint_of, marks_of, provider_of
from tests.roles import acting_as

AINO = Actor(1, "aino@aamu.example")
OFFERED = ["101", "102"]


@pytest.mark.parametrize(
    ("data", "companies", "sentence"),
    [
        ({"company": ["101"]}, ["101"], ""),
        ({"company": ["101"], "none": "yes"}, [], ""),
        ({"none": "yes"}, [], ""),
        ({}, None, "Choose at least one company, or decline them all."),
        ({"company": ["999"]}, None, "Choose from the companies that are listed."),
    ],
)
def test_a_decision_names_listed_companies_or_declines(
    data: dict[str, Any], companies: list[str] | None, sentence: str
) -> None:
    form = CompaniesForm(data, companies=OFFERED)
    assert form.is_valid() is (companies is not None)
    if companies is not None:
        assert form.cleaned_data["company"] == companies
    else:
        assert [each for errors in form.errors.values() for each in errors] == [sentence]


@pytest.mark.usefixtures("db")
def test_a_valid_form_of_credentials_holds_what_is_stored_and_an_invalid_one_an_error_at_its_field(
    aamu: Any, sandbox: Any
) -> None:
    with acting_as("web"), tenant_scope(aamu.id):
        onboarding = services.begin(tenant=aamu, provider="procountor", environment="sandbox", actor=AINO)
        mark = marks_of(onboarding)["api-key"]
        fields = [provider_of(onboarding.connection).field(name) for name in checkpoint_of(mark).fields]

        def form(key: str) -> CredentialsForm:
            return CredentialsForm({"api_key": key}, mark=mark, fields=fields, settings={}, stored=())

        invalid, valid = form("https://api.example"), form("  a-key-of-twenty-letters  ")
        assert not invalid.is_valid()
        assert "This is an address. Paste the key itself." in invalid.errors["api_key"]
        assert valid.is_valid()
        assert [str(each) for each in valid.credentials.left_out] == ["blanks around it"]
        stored = Credential.objects.values_list("name", flat=True)
        assert list(stored) == [], "nothing is stored by validating"
        services.store_credentials(credentials=valid.credentials, actor=AINO)
        assert list(stored.all()) == ["api_key"]
