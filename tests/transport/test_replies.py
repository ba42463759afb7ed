"""What reaches whoever asked, of an answer and of a token's answer, however its bytes were sent."""

from __future__ import annotations

import gzip
import json

import pytest

from connections.transport.client import Client

TOKEN = {"access_token": "tok-canary-1", "expires_in": 3600}


@pytest.fixture
def ask(customer, hostile):
    """The reply to a body; `form` turns the token's answer into bytes."""

    def send(status, body, form=lambda text: text.encode(), **headers):
        def behave(line):
            if line.asked.endswith("/oauth/token"):
                line.answer(200, form(json.dumps(TOKEN)), **headers)
            else:
                line.answer(status, body, **headers)

        hostile.behave = behave
        return Client(connection=customer).send("partners.list")

    return send


@pytest.mark.parametrize(
    ("body", "headers", "document"),
    [
        (b"\xef\xbb\xbf[1.50]", {}, b"[1.50]"),
        ('["Ä"]'.encode("latin-1"), {"Content_Type": "application/json; charset=ISO-8859-1"}, '["Ä"]'.encode()),
        ('["Ä"]'.encode("utf-16"), {"Content_Type": "application/json"}, '["Ä"]'.encode()),
        (gzip.compress(b"[1]", mtime=0), {"Content_Encoding": ""}, b"[1]"),
        (b"[1]", {"Content_Encoding": "gzip"}, b"[1]"),
        (b"", {}, b"null"),
        (b"null", {}, b"null"),
        (b'["a\\u0000", 12345678901234567.89]', {}, b'["a\\ufffd", 12345678901234567.89]'),
    ],
)
def test_a_reply_holds_the_body_and_its_entry(ask, body, headers, document):
    reply = ask(200, body, **headers)
    assert (reply.document, reply.body) == (document, json.loads(document))
    assert reply.is_mended == (b"ufffd" in document)


def test_no_content_is_nothing(ask):
    reply = ask(204, b"")
    assert (reply.status, reply.body, reply.document) == (204, None, b"null")


@pytest.mark.parametrize(
    ("form", "headers"),
    [
        (lambda text: text.encode("utf-8-sig"), {}),
        (lambda text: text.encode("utf-16"), {}),
        (lambda text: b"\r\n" + text.encode() + b"\x00", {}),
        (lambda text: gzip.compress(text.encode()), {"Content_Encoding": "identity"}),
        (lambda text: text.encode(), {"Content_Encoding": "gzip"}),
        (
            lambda text: text.replace("}", ', "scope": "\xe4"}').encode("latin-1"),
            {"Content_Type": "text/plain; charset=latin1"},
        ),
    ],
)
def test_a_token_is_read_in_every_form(ask, hostile, form, headers):
    assert ask(200, b"[]", form, **headers).body == []
    assert b"Bearer tok-canary-1" in hostile.asked[-1].head
