"""Documents that no provider should send, by name: JSON, XML, pages of records, answers of token endpoints."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from tests.drills.hostile_answers import (
    LONG,
    OK,
    ROOM,
    SLOW,
    Hostile,
    answering,
    bomb,
    dripping,
    packed,
    pouring,
    saying,
)
from tests.transport.hostile import Behaviour, Line

MOST = 9_900_000  # bytes: just under the cap


def filled(begin: bytes, piece: bytes, end: bytes) -> bytes:
    """As many pieces as the cap allows."""
    return begin + piece * ((MOST - len(begin) - len(end)) // len(piece)) + end


JSON: dict[str, bytes] = {
    "a hundred thousand lists in each other": b"[" * 100_000 + b"]" * 100_000,
    "a hundred thousand objects in each other": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "lists that never close": filled(b"", b"[", b""),
    "objects that never close": filled(b"", b'{"a":', b""),
    "51 levels": b"[" * 51 + b"]" * 51,
    "51 levels of both": b'[{"a":' * 26 + b"1" + b"}]" * 26,
    "deep behind a quote that is none": b'{"a\\\\": "\\"", "b": ' + b"[" * 500 + b"]" * 500 + b"}",
    "millions of empty lists": filled(b"[", b"[],", b"[]]"),
    "millions of empty objects": filled(b"[", b"{},", b"{}]"),
    "millions of small objects": filled(b"[", b'{"a":1},', b"{}]"),
    "millions of digits": filled(b"[", b"1,", b"1]"),
    "millions of empty texts": filled(b"[", b'"",', b'""]'),
    "millions of quotes": filled(b"", b'"', b""),
    "millions of escapes": filled(b'["', b"\\\\", b'"'),
    "commas in texts": filled(b"[", b'"a,b",', b'""]'),
    "brackets in texts": filled(b"[", b'"[ ",', b'""]'),
    "millions of names": b"{" + b",".join(b'"%d":1' % at for at in range(1_000_000)) + b"}",
    "one number of millions of digits": filled(b"[-", b"9", b"e]"),
    "not a number": b'{"a": NaN}',
    "infinity": b'{"a": Infinity}',
    "a comma too many": b'{"a": [1, 2,]}',
    "not closed": b'{"a": [1, 2',
    "closed too often": b'{"a": 1}}',
    "two documents": b'{"a": 1}{"a": 2}',
    "single quotes": b"{'a': 1}",
    "a comment": b'{"a": 1 /* one */}',
    "half a surrogate pair in no text": b'{"a": \\ud800}',
    "a line end behind a backslash": b'{"a": "b\\\nc"}',
    "an octal number": b'{"a": 007}',
    "a script before it": b")]}',\n{}",
    "a zero byte": b'{"a": \x001}',
    "names without quotes": b"{a: 1}",
}

HEAD = b'<?xml version="1.0"?>'
LAUGHS = b"".join(b'<!ENTITY l%d "%s">' % (at, b"&l%d;" % (at - 1) * 10) for at in range(1, 10))
XML: dict[str, bytes] = {
    "200,000 elements in each other": b"<a>" * 200_000 + b"</a>" * 200_000,
    "51 elements in each other": b"<a>" * 51 + b"</a>" * 51,
    "elements that never close": filled(b"", b"<a>", b""),
    "a billion laughs": b'<!DOCTYPE a [<!ENTITY l0 "ha">' + LAUGHS + b"]><a>&l9;</a>",
    "a quadratic laugh": b'<!DOCTYPE a [<!ENTITY l "' + b"x" * 50_000 + b'">]><a>' + b"&l;" * 50_000 + b"</a>",
    "a file of ours": b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
    "an address of ours": b'<!DOCTYPE a SYSTEM "http://169.254.169.254/x.dtd"><a/>',
    "a parameter entity": b'<!DOCTYPE a [<!ENTITY % x SYSTEM "http://127.0.0.1/x"> %x;]><a/>',
    "an empty document type": b"<!DOCTYPE a><a/>",
    "millions of empty elements": filled(b"<a>", b"<b/>", b"</a>"),
    "millions of elements": filled(b"<ArrayOfCustomer>", b"<b>1</b>", b"</ArrayOfCustomer>"),
    "hundreds of thousands of attributes": b"<a " + b" ".join(b'b%d=""' % at for at in range(700_000)) + b"/>",
    "hundreds of thousands of name spaces": b"<a " + b" ".join(b'xmlns:b%d="c"' % at for at in range(500_000)) + b"/>",
    "an entity that nobody knows": b"<a>&nonsense;</a>",
    "an encoding that nobody knows": b'<?xml version="1.0" encoding="nonsense"?><a>1</a>',
    "an encoding of several bytes": b'<?xml version="1.0" encoding="utf-7"?><a>1</a>',
    "an encoding that lies": b'<?xml version="1.0" encoding="utf-16"?><a>1</a>',
    "a zero byte in XML": b"<a>\x00</a>",
    "XML not closed": HEAD + b"<a><b>",
    "two roots": HEAD + b"<a/><b/>",
    "crossed elements": b"<a><b></a></b>",
    "a comment that never ends": filled(b"<a><!--", b"x", b""),
    "a section that never ends": filled(b"<a><![CDATA[", b"x", b""),
    "JSON for XML": b'[{"id": 1}]',
    "HTML for XML": b"<!doctype html><title>Log in</title><br>",
    "an attribute twice": b'<a b="1" b="2"/>',
    "a name space that nobody declared": b"<x:a/>",
    "a number of thousands of digits": b"<ArrayOfC><C><Id>" + b"9" * 10_000 + b"</Id></C></ArrayOfC>",
    "a number too large for a record": b"<ArrayOfC><C><Id>" + b"9" * 130 + b"</Id></C></ArrayOfC>",
    "records without an id in XML": b"<ArrayOfC><C><Name>x</Name></C></ArrayOfC>",
    "no list in XML": b"<C><Id>1</Id></C>",
}


def page(records: Any, total: Any = None) -> bytes:
    return json.dumps({"results": records, "meta": {"totalCount": total}}).encode()


FULL = [{"id": at} for at in range(1, 201)]
PAGES: dict[str, bytes] = {
    "a number for a page": b"7",
    "a text for a page": b'"results"',
    "a list of numbers for a page": b"[1, 2]",
    "an object for a page": b"{}",
    "a text for records": page("none"),
    "an object for records": page({"id": 1}),
    "texts for records": page(["a", "b"]),
    "nulls for records": page([None]),
    "lists for records": page([[1]]),
    "no id": page([{"name": "x"}]),
    "id null": page([{"id": None}]),
    "id empty": page([{"id": ""}]),
    "id an object": page([{"id": {"a": 1}}]),
    "ids objects, page full": page([{"id": {"a": at}} for at in range(200)]),
    "id a list": page([{"id": [1]}]),
    "id a truth": page([{"id": True}]),
    "id of a thousand letters": page([{"id": "x" * 1000}]),
    "id a zero byte": b'{"results": [{"id": "\\u0000"}, {"id": null}]}',
    "the same page for ever": page(FULL),
    "pages that go back": page(list(reversed(FULL))),
    "a record 51 levels deep": b'{"results": [{"id": 1, "a": ' + b"[" * 49 + b"]" * 49 + b"}]}",
    "a page of millions of records": filled(b'{"results": [', b'{"id":1},', b'{"id":1}]}'),
    "a page of one name twice": b'{"results": [{"id": 1}], "results": {"id": 1}}',
}

TOKEN = "tok-0123456789"


def token(**fields: Any) -> bytes:
    return json.dumps({"access_token": TOKEN, "token_type": "Bearer", "expires_in": 3600} | fields).encode()


TOKENS: dict[str, Behaviour] = {
    "token: null": answering(200, b"null"),
    "token: a list": answering(200, b"[1]"),
    "token: a text": answering(200, b'"tok"'),
    "token: nothing": answering(200, b""),
    "token: a login page": answering(200, b"<html>Log in</html>"),
    "token: a form": answering(200, b"access_token=tok&token_type=bearer"),
    "token: none in it": answering(200, b'{"expires_in": 3600}'),
    "token: empty": answering(200, token(access_token="")),
    "token: a number": answering(200, token(access_token=7)),
    "token: a list of tokens": answering(200, token(access_token=[TOKEN])),
    "token: with line ends": answering(200, token(access_token="a\r\nX-Evil: 1")),
    "token: with a zero": answering(200, token(access_token="a\x00b")),
    "token: in Greek": answering(200, token(access_token="\u03b1\u03b2\u03b3")),
    "token: of a megabyte": answering(200, token(access_token="x" * 1_000_000)),
    "token: another type": answering(200, token(token_type="mac")),
    "token: type with line ends": answering(200, token(token_type="Bearer\r\nX: 1")),
    "token: error beside it": answering(200, token(error="invalid_grant")),
    "token: 200 levels": answering(200, b'{"access_token": ' + b"[" * 200 + b"]" * 200 + b"}"),
    "token: bytes of no encoding": answering(200, b'{"access_token": "\xff"}'),
    "token: the secret comes back": lambda line: line.answer(400, {"error_description": line.body.decode()}),
    "token: refused in markup": answering(400, b'{"error": "<script>alert(1)</script>"}'),
    "token: refused with a list": answering(400, b'{"error": ["invalid_grant"]}'),
    "token: refused with errors of nothing": answering(400, b'{"errors": [null, 1, [], {"message": {}}]}'),
    "token: 204": saying(b"HTTP/1.1 204 No Content\r\n\r\n"),
    **{f"token: status {status}": answering(status, b"no") for status in (401, 403, 404, 429, 500, 503)},
    "token: 307 elsewhere": answering(307, Location="https://127.0.0.1:1/token"),
    "token: 302 elsewhere": answering(302, Location="https://127.0.0.1:1/token"),
    "token: silence": lambda line: line.stall(LONG),
    "token: byte by byte": dripping(OK + b"Content-Length: 9000\r\n\r\n", b" "),
    "token: headers one by one": pouring(OK, b"X: y\r\n", SLOW),
    "token: without end": pouring(OK + b"\r\n", ROOM),
    "token: gzip bomb": packed("gzip", bomb(300)),
    "token: head cut": saying(OK + b"Content-Type: application/j"),
    "token: reset": Line.reset,
}


def gathered() -> Iterable[tuple[str, Hostile]]:
    for name, body in JSON.items():
        yield f"JSON: {name}", Hostile("call", "json", answering(200, body))
        yield f"dialect: {name}", Hostile("dialect", "dialect", answering(200, body))
    for name, body in XML.items():
        yield f"XML: {name}", Hostile("xml", "xml", answering(200, body))
    for name, body in PAGES.items():
        yield f"page: {name}", Hostile("page", "pages", answering(200, body))
    yield "page: a page without end", Hostile("page", "pages", pouring(OK + b"\r\n", b'{"results": [' + ROOM))
    for name, behave in TOKENS.items():
        yield name, Hostile("token", "token", behave)
