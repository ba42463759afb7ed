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


def certificate(**changes: Any) -> SeenCertificate:
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
    (HTTPS, [certificate(is_public=True, is_confirmed=False)], "certificate-public", "verified"),
    (HTTP, [], "certificate-none", "verified"),
    (MIXED, [certificate(is_public=True, is_confirmed=False)], "certificate-partly", "verified"),
    (HTTPS, [certificate()], "certificate-confirmed", "verified"),
    (HTTPS, [certificate(is_confirmed=False)], "certificate-shown", "unconfirmed"),
    (HTTPS, [certificate(is_confirmed=False, is_changed=True)], "certificate-changed", "failing"),
    (HTTPS, [certificate(ends_at=ENDED)], "certificate-ended", "failing"),
    (HTTPS, [certificate(ends_at=ENDED, is_confirmed=False)], "certificate-ended", "failing"),
    (
        HTTPS,
        [certificate(), certificate(ends_at=ENDED, is_confirmed=False, is_changed=True)],
        "certificate-ended",
        "failing",
    ),
]


@pytest.mark.parametrize(("settings", "certificates", "code", "state"), FOUND)
def test_each_is_told_by_its_own_sentence(
    settings: dict[str, str], certificates: list[SeenCertificate], code: str, state: str
) -> None:
    asker: Any = SimpleNamespace(settings=settings, certificates=lambda: certificates)
    finding = proofs.compared_certificates(asker)
    assert (finding.code, finding.state.value) == (code, state)
    sentence = str(proofs.SENTENCES[finding.code]) % finding.values
    assert ("public authority" in sentence) == any(each.is_public for each in certificates)
    assert ("by our admin's leave" in sentence) == any(
        value.lower().startswith("http:") for value in settings.values()
    )
