"""Which columns are sealed is known to the columns alone: whoever fetches rows without them names none."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps

from connections.transport.models import ActivationRequest, AuthorizationAttempt
from connections.vault.fields import SEALED_FIELDS, sealed_columns
from connections.vault.models import Connection
from connections.vault.querysets import SealedQuerySet

REPOSITORY = Path(__file__).resolve().parents[2]
# Names that only sealed columns have: `ciphertext` and `key_version` among them, which several models share.
NAMES = {name for field in SEALED_FIELDS for name in (field.name, field.key_version)}


def test_a_model_s_sealed_columns_come_with_the_versions_of_their_keys() -> None:
    assert sealed_columns(AuthorizationAttempt) == [
        "verifier_ciphertext",
        "key_version",
        "code_ciphertext",
        "code_key_version",
    ]
    assert sealed_columns(Connection) == []


@pytest.mark.parametrize("model", [ActivationRequest, AuthorizationAttempt])
def test_rows_without_sealed_have_all_else(model: type[ActivationRequest]) -> None:
    left_out, is_deferred = model.objects.without_sealed().query.deferred_loading
    assert is_deferred
    assert left_out == set(sealed_columns(model)) != set()


def test_nobody_offers_it_where_nothing_is_sealed() -> None:
    offering = {model for model in apps.get_models() if isinstance(model._default_manager.all(), SealedQuerySet)}
    assert offering - {field.model for field in SEALED_FIELDS} == set()


def deferred_names(source: str) -> Iterator[str]:
    """What `defer(...)` is given as plain text, and the texts of constants whose name says that they are sealed columns."""
    for node in ast.walk(ast.parse(source)):
        is_defer = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "defer"
        is_constant = isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple)
        values = node.args if is_defer else node.value.elts if is_constant else []  # type: ignore[attr-defined]
        yield from (each.value for each in values if isinstance(each, ast.Constant) and isinstance(each.value, str))


def test_nobody_lists_a_model_s_sealed_columns_by_hand() -> None:
    listing = {
        str(path.relative_to(REPOSITORY))
        for room in ("portal", "connections")
        for path in sorted((REPOSITORY / room).rglob("*.py"))
        if "migrations" not in path.parts and NAMES & set(deferred_names(path.read_text(encoding="utf-8")))
    }
    assert listing == set(), "call without_sealed(), or sealed_columns(model) where there is no manager"


@pytest.mark.parametrize(
    ("source", "is_seen"),
    [
        ('rows.defer("key_version", "request_ciphertext")', True),
        ('SEALED = ("key_version", "code_ciphertext")', True),
        ('rows.defer("password")', False),
        ("rows.defer(*sealed_columns(Model))", False),
        ("rows.without_sealed()", False),
    ],
)
def test_a_list_by_hand_is_seen(source: str, is_seen: bool) -> None:
    assert bool(NAMES & set(deferred_names(source))) is is_seen
