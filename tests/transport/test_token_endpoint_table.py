"""Facts F1 to F22 (docs/security.md) for both grants: whatever an endpoint answers, no token is lost, nothing goes unhandled."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace

import pytest
from django.utils import timezone

from connections.providers import registry
from connections.spec.errors import CallFailed
from connections.tenancy.scope import tenant_scope
from connections.transport.client import Client
from connections.transport.oauth import token_store
from connections.vault.models import Grant
from tests.revealing import revealed
from tests.roles import acting_as
from tests.transport.conftest import OLD

NEW = {"access_token": "new-a", "refresh_token": "new-r", "expires_in": 3600, "token_type": "Bearer"}
LOGIN = b"<html><form>Sign in</form></html>"
WHOLE = json.dumps(NEW).encode()
CAP = 20_000

# Which pair is stored afterwards, by the access and the refresh token.
BOTH, ACCESS, REFRESH, NONE = ("new-a", "new-r"), ("new-a", "old-r"), ("old-a", "new-r"), ("old-a", "old-r")


def but(**changes):
    """A good answer with some members changed, or without those that are Ellipsis."""
    return {name: value for name, value in {**NEW, **changes}.items() if value is not ...}


def answer(status, body, **headers):
    return lambda line: line.answer(status, body, **headers)


def halfway(line):
    line.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(WHOLE) + WHOLE[:40])
    line.hang_up()


def dripping(line):
    line.drip(b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n" + WHOLE, 0.1, 2)
    line.hang_up()


def elsewhere(status):
    """A library would send the secret there again (F3); here, it would be seen as a second request."""
    return lambda line: line.answer(status, b"", Location="/elsewhere")


# What is answered, what is stored afterwards, whether anything is raised, whether the answer may have held a new pair.
SAID_YES = {
    "plain": (answer(200, NEW), BOTH),
    "201": (answer(201, NEW), BOTH),
    "no refresh token": (answer(200, but(refresh_token=...)), ACCESS),
    "refresh token null": (answer(200, but(refresh_token=None)), ACCESS),
    "refresh token empty": (answer(200, but(refresh_token="")), ACCESS),
    "refresh token a number": (answer(200, but(refresh_token=7)), ACCESS),
    "scope narrowed": (answer(200, but(scope="read")), BOTH),
    "scope widened": (answer(200, but(scope="read write admin")), BOTH),
    "scope null": (answer(200, but(scope=None)), BOTH),
    "scope a list": (answer(200, but(scope=["a"])), BOTH),
    "scope with a line break": (answer(200, but(scope="a\nb")), BOTH),
    "scope far too long": (answer(200, but(scope="x" * 5000)), BOTH),
    "lifetime as a decimal": (answer(200, but(expires_in="3600.0")), BOTH),
    "lifetime empty": (answer(200, but(expires_in="")), BOTH),
    "lifetime 1e3": (answer(200, but(expires_in="1e3")), BOTH),
    "lifetime a list": (answer(200, but(expires_in=[3600])), BOTH),
    "lifetime zero": (answer(200, but(expires_in=0)), BOTH),
    "lifetime null": (answer(200, but(expires_in=None)), BOTH),
    "lifetime missing": (answer(200, but(expires_in=...)), BOTH),
    "lifetime absurd": (answer(200, but(expires_in=10**30)), BOTH),
    "lifetime of thousands of digits": (answer(200, WHOLE.replace(b"3600", b"9" * 4301)), BOTH),
    "lifetime far below zero": (answer(200, WHOLE.replace(b"3600", b"-" + b"9" * 4301)), BOTH),
    "lifetime true": (answer(200, but(expires_in=True)), BOTH),
    "lifetime negative": (answer(200, but(expires_in=-5)), BOTH),
    "lifetime NaN": (answer(200, WHOLE.replace(b"3600", b"NaN")), BOTH),
    "lifetime Infinity": (answer(200, WHOLE.replace(b"3600", b"Infinity")), BOTH),
    "type missing": (answer(200, but(token_type=...)), BOTH),
    "type null": (answer(200, but(token_type=None)), BOTH),
    "type a list": (answer(200, but(token_type=["Bearer"])), BOTH),
    "type in small letters": (answer(200, but(token_type="bearer")), BOTH),
    "members nobody knows": (answer(200, but(id_token="x", more={"a": [1]})), BOTH),
    "a byte order mark": (answer(200, b"\xef\xbb\xbf" + WHOLE), BOTH),
    "text that is not UTF-8": (answer(200, WHOLE[:-1] + b', "name": "\xe4"}'), BOTH),
    "members twice": (answer(200, b'{"access_token": "x", "refresh_token": "y", ' + WHOLE[1:]), BOTH),
    "as HTML": (answer(200, NEW, Content_Type="text/html"), BOTH),
    "as a form": (answer(200, NEW, Content_Type="application/x-www-form-urlencoded"), BOTH),
    "without a type": (answer(200, NEW, Content_Type=""), BOTH),
    "with a cookie": (answer(200, NEW, Set_Cookie="session=1"), BOTH),
    "white space around": (answer(200, b"\r\n " + WHOLE + b"\n"), BOTH),
}
# Raises, and the pair that may have been given is not known.
MAYBE = {
    "cut at once": (lambda line: line.hang_up(), NONE),
    "cut in the middle": (halfway, NONE),
    "a byte at a time": (dripping, NONE),
    "over the cap": (answer(200, b" " * (CAP + 1) + WHOLE), NONE),
    "unpacks to over the cap": (answer(200, gzip.compress(b" " * 300_000 + WHOLE), Content_Encoding="gzip"), NONE),
    "empty": (answer(200, b""), NONE),
    "204": (answer(204, b""), NONE),
    "login page": (answer(200, LOGIN), NONE),
    "null": (answer(200, b"null"), NONE),
    "a list": (answer(200, b"[1]"), NONE),
    "nested without end": (answer(200, b"[" * 9000), NONE),
    "no token in it": (answer(200, {"token": "t"}), NONE),
    "a form": (answer(200, b"access_token=new-a&refresh_token=new-r"), NONE),
    "500": (answer(500, LOGIN), NONE),
    "503": (answer(503, b"", Retry_After="9"), NONE),
    "504": (answer(504, b""), NONE),
    "400 temporarily_unavailable": (answer(400, {"error": "temporarily_unavailable"}), NONE),
    "200 server_error": (answer(200, {"error": "server_error"}), NONE),
    "408": (answer(408, b""), NONE),
    "301": (elsewhere(301), NONE),
    "302": (elsewhere(302), NONE),
    "307": (elsewhere(307), NONE),
    "308": (elsewhere(308), NONE),
}
# The access token cannot be used; the refresh token that came with it is the only one that still counts.
HALF = {
    "type mac": (answer(200, but(token_type="mac")), REFRESH),
    "type DPoP": (answer(200, but(token_type="DPoP")), REFRESH),
    "access token null": (answer(200, but(access_token=None)), REFRESH),
    "access token empty": (answer(200, but(access_token="")), REFRESH),
    "access token missing": (answer(200, but(access_token=...)), REFRESH),
    "access token with a line break": (answer(200, but(access_token="a\r\nX-Evil: 1")), REFRESH),
    "access token not in ASCII": (answer(200, but(access_token="tökén")), REFRESH),
    "access token too long": (answer(200, but(access_token="t" * 17_000)), REFRESH),
    "a pair and an error": (answer(200, but(error="something")), REFRESH),
    "401 with a pair": (answer(401, NEW), REFRESH),
    "429 with a pair": (answer(429, NEW, Retry_After="1"), REFRESH),
    "400 with a new refresh token": (answer(400, {"error": "access_denied", "refresh_token": "new-r"}), REFRESH),
    "400 invalid_grant with a new one": (answer(400, {"error": "invalid_grant", "refresh_token": "new-r"}), REFRESH),
    "502 with a token": (answer(502, NEW), REFRESH),
}
# What stands where a refresh token would, and is none.
NO_TOKEN = {
    "a field that is wrong": (answer(400, {"refresh_token": "This field is required."}), NONE),
    "a word on a field": (answer(400, {"error": "invalid_request", "refresh_token": "required"}), NONE),
    "a field, and yes": (answer(200, {"error": "invalid_request", "refresh_token": "is missing"}), NONE),
}
# A clear no: nothing was given.
SAID_NO = {
    "200 invalid_grant": (answer(200, {"error": "invalid_grant"}), NONE),
    "200 invalid_client": (answer(200, {"error": "invalid_client"}), NONE),
    "400 invalid_grant": (answer(400, {"error": "invalid_grant"}), NONE),
    "400 invalid_request": (answer(400, {"error": "invalid_request"}), NONE),
    "400 invalid_scope": (answer(400, {"error": "invalid_scope"}), NONE),
    "400 error a list": (answer(400, {"error": ["invalid_grant"]}), NONE),
    "400 login page": (answer(400, LOGIN), NONE),
    "401 invalid_client": (answer(401, {"error": "invalid_client"}), NONE),
    "401 empty": (answer(401, b""), NONE),
    "403": (answer(403, LOGIN), NONE),
    "404": (answer(404, LOGIN), NONE),
    "405": (answer(405, b""), NONE),
    "415": (answer(415, b""), NONE),
    "429": (answer(429, b"", Retry_After="1"), NONE),
    "429 in words": (answer(429, {"error": "slow_down"}, Retry_After="soon"), NONE),
}
TABLE = [
    *[(name, *row, False, False) for name, row in SAID_YES.items()],
    *[(name, *row, True, True) for name, row in MAYBE.items()],
    *[(name, *row, True, False) for name, row in HALF.items()],
    *[(name, *row, True, False) for name, row in NO_TOKEN.items()],
    *[(name, *row, True, False) for name, row in SAID_NO.items()],
]


def stored(connection):
    """The pair, opened."""
    with tenant_scope(connection.tenant_id):
        row = Grant.objects.get()
        access, refresh = token_store.open_access_token(row, timezone.now()), token_store.open_refresh_token(row)
    return access and revealed(access.secret), refresh and revealed(refresh)


@pytest.mark.parametrize("auth_method", ["credentials", "consent"])
def test_no_answer_loses_a_token_or_goes_unhandled(hostile, db, auth_method, request, monkeypatch):
    connection = request.getfixturevalue("consented" if auth_method == "consent" else "uncanny")
    provider = registry.find(connection.provider)
    impatient = replace(provider.deadlines, token_total=1.0, body_bytes=CAP)
    provider = replace(provider, deadlines=impatient, quotas=())
    monkeypatch.setattr(registry, "find", lambda slug: provider)
    client = Client(connection=connection)
    if auth_method == "credentials":
        with acting_as("worker"):
            hostile.behave = answer(200, OLD)
            client.new_token()
    first = Grant.objects.values().get()
    wrong = []
    for name, behave, pair, is_raised, is_uncertain in TABLE:
        Grant.objects.filter(id=first["id"]).update(**first)
        hostile.asked.clear()
        hostile.behave = behave
        raised = None
        with acting_as("worker"):
            try:
                client.new_token()
            except CallFailed as failed:
                raised = failed
            except Exception as unhandled:
                wrong.append((name, "unhandled", unhandled))
                continue
        row = Grant.objects.get()
        seen = (stored(connection), raised is not None, row.uncertain_at is not None, len(hostile.asked))
        if seen != (pair, is_raised, is_uncertain, 1) or row.claimed_by:
            wrong.append((name, seen, raised))
        if raised is not None and (row.refused_fault, row.refused_entry) != (raised.fault.code, raised.entry_id):
            wrong.append((name, "not left for those who wait", raised))
    assert wrong == []
    assert len(TABLE) >= 80
