"""docs/providers.md says what the descriptions say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connections.providers import registry
from tests.contract import providers_doc


def test_it_is_up_to_date() -> None:
    written = providers_doc.PLACE.read_text(encoding="utf-8")
    assert written == providers_doc.document(), "run: python -m tests.contract.providers_doc"


def test_every_call_and_every_list_of_everybody_is_in_it() -> None:
    written = providers_doc.document()
    for provider in registry.all_providers().values():
        section = written.partition(f"\n## {provider.name}\n")[2].partition("\n## ")[0]
        for operation in provider.operations:
            assert f"`{operation.name}` | `{operation.method} {operation.path}`" in section
        for stream in provider.streams:
            assert f"(`{stream.name}`)" in section
        for assumption in provider.assumptions:
            assert f"- {assumption}\n" in section


def test_a_change_of_a_description_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    known = dict(registry.all_providers())
    slug, provider = next(iter(known.items()))
    moved = replace(provider.operations[0], path="/moved")
    known[slug] = replace(provider, operations=[moved, *provider.operations[1:]])
    before = providers_doc.document()
    monkeypatch.setattr(registry, "all_providers", lambda: known)
    assert providers_doc.document() != before


def test_a_test_that_is_not_there_is_not_named() -> None:
    with pytest.raises(LookupError):
        providers_doc._link(("test_streams", "test_nothing_of_this_name"), "x")
