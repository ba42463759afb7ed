"""Where secrets may be: every field that looks like one is listed with its protection, and few may open them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import models

REPOSITORY = Path(__file__).resolve().parents[2]

LOOKS_SECRET = re.compile(
    r"secret|passw|token|cipher|credential|digest|seed|private(?!_networks)|keyset|apikey|api_key|verifier|cookie|^key$|^data$"
    r"|session_data|session_key|^code$|_hash",
    re.IGNORECASE,
)

# table.field: how it is protected. `sealed`, `wrapped` and `hashed` are unreadable at rest; the rest is said in words.
FIELDS = {
    "vault_clientregistration.secret_ciphertext": "sealed",
    "vault_credential.ciphertext": "sealed",
    "vault_grant.access_ciphertext": "sealed",
    "vault_grant.refresh_ciphertext": "sealed",
    "transport_authorizationattempt.verifier_ciphertext": "sealed",
    "transport_authorizationattempt.code_ciphertext": "sealed",
    "transport_activationrequest.request_ciphertext": "sealed",
    "transport_recording.wrapped_keyset": "wrapped",
    "transport_recording.public_keyset": "public by its nature",
    "transport_recordedcall.ciphertext": "sealed",
    "exports_export.wrapped_keyset": "wrapped",
    "exports_export.public_keyset": "public by its nature",
    "exports_exportchunk.ciphertext": "sealed",
    "transport_authorizationattempt.state_digest": "hashed",
    "transport_authorizationattempt.session_digest": "hashed",
    "notices_outgoingmail.ciphertext": "sealed",
    "vault_privatekey.wrapped_keyset": "wrapped",
    "vault_systemprivatekey.wrapped_keyset": "wrapped",
    "mfa_authenticator.data": "sealed with the web class by portal.members.seeds, for its person and row",
    "members_user.password": "hashed",
    "members_invitation.digest": "hashed",
    "onboarding_activationconsent.digest": "hashed",
    "onboarding_handoff.digest": "hashed",
    "onboarding_handoff.session_digest": "hashed",
    "onboarding_handoff.key": "a name in an address, which opens nothing without its cookie",
    "members_enrolmentlink.digest": "hashed",
    "members_legacyseed.digest": "hashed",
    "tenancy_lookup.digest": "hashed",
    "certification_chainlink.row_hash": "a hash of a row that may never change",
    "certification_certificationreport.digest": "a hash of a report, to compare it by",
    "certification_certificationreport.again_digest": "the same of the second time",
    "vault_clientregistration.secret_hint": "the last four characters of sixteen or more",
    "vault_tenantkey.public_keyset": "public by its nature",
    "vault_systemkey.public_keyset": "public by its nature",
    "transport_entry.token_age_s": "a number of seconds",
    "django_session.session_key": "Django's: web alone may read the table, and it ends with the session",
    "django_session.session_data": "Django's, signed; holds who is signed in and how",
    "usersessions_usersession.session_key": "allauth's copy of the same",
    "usersessions_usersession.data": "allauth's, unused",
    "account_emailconfirmation.key": "allauth's; unused, confirmations are signed links",
    "transport_authorizationattempt.token_address": "the address of a token endpoint",
    "vault_grant.token_type": "the word that stands before a token",
    "transport_quotawindow.key": "the name of what is counted",
    "transport_breaker.key": "the name of a server and of a connection, hashed and by id",
    "rate_limits_cacheentry.key": "hashed",
    "rate_limits_usage.key": "the name of what is counted; addresses in it are hashed",
    "onboarding_evidence.code": "the name of a sentence",
    "sync_runlogline.code": "the name of a sentence",
}

# Who may open a Secret: vault, transport, mail delivery; and the door that checks second factors.
MAY_REVEAL = {
    "connections/vault/sealing.py",
    "connections/vault/secret.py",
    "connections/transport/oauth/activation_endpoint.py",
    "connections/transport/oauth/signing.py",
    "portal/notices/mail.py",
    "portal/members/adapters.py",
    "portal/members/pending_request.py",
}

# What no staff page shows, sorts, filters or searches by: the columns above that are protected, and what leads to them.
NEVER_SHOWN = {name.partition(".")[2] for name in FIELDS} - {
    "code",
    "key",
    "token_age_s",
    "token_type",
    "token_address",
    "secret_hint",
    "data",
}


def fields() -> Iterator[tuple[str, models.Field[Any, Any]]]:
    for model in apps.get_models(include_auto_created=True):
        for field in model._meta.concrete_fields:
            yield f"{model._meta.db_table}.{field.column}", field


def test_every_field_that_looks_secret_is_listed() -> None:
    looking = {
        name
        for name, field in fields()
        if LOOKS_SECRET.search(field.column or "")
        and isinstance(field, models.CharField | models.TextField | models.BinaryField | models.JSONField)
    }
    numbers = {name for name in FIELDS if name.endswith("_age_s")}
    assert looking - set(FIELDS) == set(), "seal it, and list it here"
    assert set(FIELDS) - looking - numbers == set(), "listed, but there is no such field"


def test_every_binary_field_is_listed_and_what_is_sealed_is_binary() -> None:
    by_name = dict(fields())
    binary = {name for name, field in by_name.items() if isinstance(field, models.BinaryField)}
    assert binary == {name for name, how in FIELDS.items() if how == "sealed"}
    for name, how in FIELDS.items():
        if how == "hashed" and name != "members_user.password":
            assert by_name[name].max_length == 64, f"{name}: a SHA-256, nothing that could be used"


def python_files() -> Iterator[Path]:
    for room in ("portal", "connections"):
        yield from (path for path in (REPOSITORY / room).rglob("*.py") if "sandbox" not in path.parts)


def revealing(source: str) -> bool:
    names = ("reveal", "reveal_for")
    return any(isinstance(node, ast.Attribute) and node.attr in names for node in ast.walk(ast.parse(source)))


def test_secrets_are_opened_by_the_listed_callers_only() -> None:
    found = {
        str(path.relative_to(REPOSITORY)) for path in python_files() if revealing(path.read_text(encoding="utf-8"))
    }
    assert found == MAY_REVEAL


def test_what_was_lately_revealed_is_for_the_redaction_alone() -> None:
    found = {
        str(path.relative_to(REPOSITORY))
        for path in python_files()
        if re.search(r"lately_revealed|_revealed\b|_Secret__value", path.read_text(encoding="utf-8"))
    }
    assert found == {"connections/vault/secret.py", "connections/transport/log/redaction.py"}


def test_a_planted_caller_is_seen() -> None:
    assert revealing("print(secret.reveal())")
    assert revealing("opener = secret.reveal")
    assert not revealing("'secret.reveal()'")


def named(value: Any) -> Iterator[str]:
    """Every name in nested tuples and lists of the admin's declarations."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        for part in value:
            yield from named(part)
    elif isinstance(value, dict):
        yield from named(list(value.values()))


DECLARED = (
    "list_display",
    "list_display_links",
    "search_fields",
    "list_filter",
    "fields",
    "readonly_fields",
    "ordering",
)


@pytest.mark.parametrize("page", list(admin.site._registry.values()), ids=lambda page: page.opts.label_lower)
def test_no_staff_page_names_a_secret(page: Any) -> None:
    for attribute in DECLARED:
        for name in named(getattr(page, attribute, ())):
            parts = name.lstrip("^=@-").split("__")
            assert not NEVER_SHOWN & set(parts), f"{page.opts.label}.{attribute}: {name}"


@pytest.mark.parametrize("page", list(admin.site._registry.values()), ids=lambda page: page.opts.label_lower)
def test_no_staff_form_is_filled_with_a_secret(page: Any, rf: Any, db: None) -> None:
    from portal.members.models import User

    request = rf.get("/")
    request.user = User(staff_role="admin")
    for row in (None, page.model()):
        form = page.get_form(request, row, change=row is not None)
        assert not NEVER_SHOWN & set(form.base_fields), page.opts.label


@pytest.mark.parametrize(
    "table",
    [
        "vault_credential",
        "vault_grant",
        "vault_privatekey",
        "vault_systemprivatekey",
        "vault_tenantkey",
        "sync_record",
        "sync_recordversion",
        "mfa_authenticator",
        "members_enrolmentlink",
        "members_legacyseed",
        "django_session",
        "usersessions_usersession",
        "account_emailconfirmation",
        "tenancy_lookup",
    ],
)
def test_tables_of_secrets_and_of_customers_records_have_no_staff_page(table: str) -> None:
    assert table not in {model._meta.db_table for model in admin.site._registry}


def test_nothing_secret_is_written_by_str(db: None) -> None:
    """`__str__` ends in logs, admin titles and error pages."""
    for model in apps.get_models():
        if not model.__module__.startswith(("portal.", "connections.")):
            continue
        row = model()
        for field in model._meta.concrete_fields:
            if field.column in NEVER_SHOWN and isinstance(field, models.CharField | models.TextField):
                setattr(row, field.attname, "canary")
            elif field.get_internal_type() == "DateTimeField":
                from django.utils import timezone

                setattr(row, field.attname, timezone.now())
        assert "canary" not in str(row), model
