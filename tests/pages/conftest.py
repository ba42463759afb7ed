"""A provider with every kind of button, so that the table of addresses has something to press."""

from __future__ import annotations

import pytest

from tests.signing import offer, signing_provider


@pytest.fixture
def every_button(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, signing_provider())
