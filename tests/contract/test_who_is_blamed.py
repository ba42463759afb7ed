"""Who is blamed for a refusal: a customer or a key only by the protocol's words or the provider's own, never by a status."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from django.utils import timezone

from connections.providers import registry
from connections.spec.errors import Unavailable
from connections.spec.faults import Phase, Responsible
from connections.spec.grants import AuthorizationCode, ClientOwner
from connections.spec.provider import Provider
from connections.transport import error_mapping
from connections.transport.http.session import Answer
from connections.transport.models import RequestLogEntry

PROVIDERS = [pytest.param(provider, id=slug) for slug, provider in registry.all_providers().items()]
STATUSES = [*range(400, 408), *range(409, 425), 426, 428, 431, 451, 499]
NO_WORDS: tuple[bytes, ...] = (
    b"", b" ", b"<html>403 Forbidden</html>", b"null", b"[]", b"{}", b'"invalid"', b"Bad Request",
    b'{"message": "Forbidden"}', b'{"error": {}}', b'{"error": null}', b'{"errors": []}', b'{"code": "E1"}',
    b'{"error": "invalid_request"}', b'{"error": "access_denied", "error_description": "access_token not expired"}',
)  # fmt: skip


def judged(provider: Provider, phase: Phase, status: int, body: bytes, method: str = "POST") -> Any:
    entry = RequestLogEntry(id=uuid.uuid4(), at=timezone.now(), operation="token", method=method)
    try:
        parsed = json.loads(body)
    except ValueError:
        parsed = None
    return error_mapping.refusal(provider, phase, entry, Answer(status, {}, body, 1), parsed)


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("phase", [Phase.TOKEN, Phase.GRANT])
def test_a_status_alone_blames_nobody_for_a_token(provider: Provider, phase: Phase) -> None:
    blamed = []
    for status in STATUSES:
        for body in NO_WORDS:
            found = judged(provider, phase, status, body)
            if found.fault.responsible is not Responsible.NOBODY or not isinstance(found, Unavailable):
                blamed.append((status, body, found.fault.code))
    own = {(401, "api-key-refused"), (401, "access-ended"), (400, "scope-refused"), (401, "scope-refused")}
    # Procountor answers 401 with an error of its own shape: words, though not the protocol's.
    blamed = [each for each in blamed if not (b'"error": "' in each[1] and (each[0], each[2]) in own)]
    assert blamed == []


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_refused_client_is_mended_by_whoever_registered_it(provider: Provider) -> None:
    for grant in provider.grants:
        phase = Phase.GRANT if isinstance(grant, AuthorizationCode) else Phase.TOKEN
        for status in (400, 401):
            found = judged(provider, phase, status, b'{"error": "invalid_client"}')
            assert found.fault.responsible is (
                Responsible.US if grant.client is ClientOwner.OURS else Responsible.CUSTOMER
            ), grant.name
            assert found.has_provider_reason


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_list_that_is_refused_is_not_said_to_hold_wrong_values(provider: Provider) -> None:
    for status in (400, 415, 422):
        read = judged(provider, Phase.CALL, status, b"{}", "GET").fault
        assert "some of the values" not in str(read.customer_message), (status, read.code)
        assert read.responsible is Responsible.US, (status, read.code)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_no_longer_is_said_only_of_what_has_worked(provider: Provider) -> None:
    """Of a pasted key that never opened anything, it would be untrue."""
    for grant in provider.grants:
        if isinstance(grant, AuthorizationCode):
            continue
        for error in ("invalid_client", "invalid_grant", "unauthorized_client", "invalid_scope"):
            fault = judged(provider, Phase.TOKEN, 401, json.dumps({"error": error}).encode()).fault
            said = str((fault.never_worked or fault).customer_message)
            assert "no longer" not in said, said
            assert "revoked" not in said, said
