"""The registry of proofs: every checkpoint of every provider, with its proof, its requests and how it could be wrong."""

from __future__ import annotations

from collections.abc import Callable
from html import unescape
from typing import Any

from django.urls import reverse

from connections.providers.registry import all_providers


def test_it_shows_every_checkpoint_with_how_it_could_be_wrong(dana: Any, sign_in: Callable[..., Any]) -> None:
    page = unescape(sign_in(dana).get(reverse("admin:proofs")).content.decode())
    for provider in all_providers().values():
        table = page.partition(f'id="proofs-{provider.slug}"')[2].partition("</table>")[0]
        for checkpoint in provider.checklist:
            assert str(checkpoint.title) in table
            assert checkpoint.false_answer in table
    assert "GET /users/rights" in page
    assert "it follows from “" in page.lower()


def test_the_staff_index_leads_to_it(dana: Any, sign_in: Callable[..., Any]) -> None:
    page = sign_in(dana).get(reverse("admin:index")).content.decode()
    assert f'href="{reverse("admin:proofs")}"' in page
