"""What is said of certificates: none where nothing is encrypted, an ended one by its own name, a changed one as changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from connections.spec import proofs
from connections.spec.checklist import SeenCertificate

HTTPS = {"api_url": "https://books.example:8443", "auth_url": "https://login.example"}
HTTP = {"api_url": "http://books.example:8080", "auth_url": "HTTP://login.example"}
MIXED = {**HTTPS, "api_url": HTTP["api_url"]}


def seen(**changes: Any) -> SeenCertificate:
    values: dict[str, Any] = {
        "host": "login.example:443",
        "sha256": "AA:01",
        "ends_at": datetime.now(UTC) + timedelta(days=9),
        "is_public": False,
        "is_confirmed": True,
        "is_changed": False,
    }
    return SeenCertificate(**{**values, **changes})


ENDED = datetime.now(UTC) - timedelta(days=1)
FOUND = [
    (HTTPS, [seen(is_public=True, is_confirmed=False)], "certificate-public", "verified"),
    (HTTP, [], "certificate-none", "verified"),
    (MIXED, [seen(is_public=True, is_confirmed=False)], "certificate-partly", "verified"),
    (HTTPS, [seen()], "certificate-confirmed", "verified"),
    (HTTPS, [seen(is_confirmed=False)], "certificate-shown", "unconfirmed"),
    (HTTPS, [seen(is_confirmed=False, is_changed=True)], "certificate-changed", "failing"),
    (HTTPS, [seen(ends_at=ENDED)], "certificate-ended", "failing"),
    (HTTPS, [seen(ends_at=ENDED, is_confirmed=False)], "certificate-ended", "failing"),
    (HTTPS, [seen(), seen(ends_at=ENDED, is_confirmed=False, is_changed=True)], "certificate-ended", "failing"),
]


@pytest.mark.parametrize(("settings", "shown", "code", "state"), FOUND)
def test_each_is_told_by_its_own_sentence(
    settings: dict[str, str], shown: list[SeenCertificate], code: str, state: str
) -> None:
    asker: Any = SimpleNamespace(settings=settings, certificates=lambda: shown)
    found = proofs.compared_certificates(asker)
    assert (found.code, found.state.value) == (code, state)
    said = str(proofs.SENTENCES[found.code]) % found.values
    assert ("public authority" in said) == any(each.is_public for each in shown)
    assert ("by our admin's leave" in said) == any(value.lower().startswith("http:") for value in settings.values())
