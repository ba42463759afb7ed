"""What a signature adds to a request, and that it adds nothing for another server."""

from __future__ import annotations

import json
from base64 import b64decode

import pytest

from connections.spec.grants import TokenBody
from connections.spec.placement import BearerHeader, QueryParameter
from connections.spec.uses import Use
from connections.transport.oauth.signing import HttpBasic, TokenRequestSignature, TokenSignature
from connections.vault.secret import BoundSecret, WrongUse

HERE, THERE = "https://api.books.example/v1/things", "https://thief.example/v1/things"


def secret(use, text="s3cret"):
    return BoundSecret(text, {use: frozenset({"https://api.books.example:443"})})


def test_a_token_stands_where_the_provider_wants_it():
    signed = TokenSignature(BearerHeader(), secret(Use.HEADER), "Bearer").sign(HERE)
    assert (signed.headers, signed.hidden_query) == ({"Authorization": "Bearer s3cret"}, {})
    signed = TokenSignature(QueryParameter("token"), secret(Use.QUERY), "").sign(HERE)
    assert (signed.headers, signed.hidden_query) == ({}, {"token": "s3cret"})


@pytest.mark.parametrize("body", TokenBody)
def test_a_token_request_holds_its_fields_in_one_body(body):
    fields = {"grant_type": "client_credentials", "client_secret": secret(Use.TOKEN_REQUEST)}
    signed = TokenRequestSignature(fields, body).sign(HERE)
    sent = {"grant_type": "client_credentials", "client_secret": "s3cret"}
    assert (signed.headers, signed.hidden_query) == ({}, {})
    if body is TokenBody.FORM:
        assert (signed.form, signed.body) == (sent, None)
    else:
        assert signed.form is None
        assert json.loads(signed.body) == sent


def test_basic_is_name_and_secret():
    signed = HttpBasic("ours", secret(Use.BASIC)).sign(HERE)
    kind, _, pair = signed.headers.pop("Authorization").partition(" ")
    assert (kind, b64decode(pair), signed.headers, signed.hidden_query) == ("Basic", b"ours:s3cret", {}, {})


@pytest.mark.parametrize(
    "signature",
    [
        TokenSignature(BearerHeader(), secret(Use.HEADER), "Bearer"),
        TokenSignature(QueryParameter("token"), secret(Use.QUERY), ""),
        TokenRequestSignature({"client_secret": secret(Use.TOKEN_REQUEST)}, TokenBody.FORM),
        TokenRequestSignature({"client_secret": secret(Use.TOKEN_REQUEST)}, TokenBody.JSON),
        HttpBasic("ours", secret(Use.BASIC)),
    ],
    ids=["header", "query", "form", "JSON", "basic"],
)
def test_nothing_is_signed_for_another_server(signature):
    with pytest.raises(WrongUse) as caught:
        signature.sign(THERE)
    assert "s3cret" not in f"{caught.value} {signature!r}"
    assert "thief" not in str(caught.value)


@pytest.mark.parametrize("use", [each for each in Use if each is not Use.HEADER])
def test_what_was_given_for_another_use_signs_nothing(use):
    with pytest.raises(WrongUse):
        TokenSignature(BearerHeader(), secret(use), "Bearer").sign(HERE)
