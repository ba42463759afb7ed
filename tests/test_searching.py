"""The search that drills rely on does find what is there, in every form."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest

from tests.searching import FORMS, Search, forms

SECRET = 'k9"Zq/+=&ä~\\-7fQx_e31'
PLAIN = "canary0123456789abcdefXYZ"

WRITTEN = {
    "plain": [SECRET],
    "URL-encoded": [quote(SECRET), quote(SECRET, safe="")],
    "double-URL-encoded": [quote(quote(SECRET, safe=""), safe="")],
    "base64": [base64.b64encode(f"{'x' * n}{SECRET}{'y' * m}".encode()).decode() for n in range(4) for m in range(3)],
    "base64url": [base64.urlsafe_b64encode(f"{'?' * n}{SECRET}>>".encode()).decode().rstrip("=") for n in range(4)],
    "hex": [SECRET.encode().hex(), SECRET.encode().hex().upper()],
    "JSON-escaped": [
        json.dumps({"a": SECRET}),
        json.dumps(SECRET, ensure_ascii=False),
        json.dumps(json.dumps(SECRET)),
        json.dumps({"a": SECRET}).replace("&", "\\u0026"),
        "".join(f"\\u{ord(each):04x}" for each in SECRET),
        "".join(f"\\u{ord(each):04X}" for each in SECRET),
    ],
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_found(form):
    for text in WRITTEN[form]:
        hits = Search([("the key", SECRET)]).look("a log", f"before {text} after")
        assert f"the key, {form}, in a log" in hits, text
        assert all(SECRET not in hit for hit in hits)


def test_bytes_are_found_as_they_are_and_encoded():
    key = bytes(range(200, 232))
    search = Search([("the key", key)])
    assert search.look("a file", b"before" + key + b"after") == ["the key, plain, in a file"]
    for written, form in ((key.hex(), "hex"), (base64.b64encode(b"\x1a " + key).decode(), "base64")):
        assert f"the key, {form}, in a file" in search.look("a file", written)


def test_nothing_is_found_where_nothing_is():
    search = Search([("the key", PLAIN)])
    assert search.look("a log", f"{PLAIN[:-1]} {PLAIN[1:]} {PLAIN.swapcase()}" * 50) == []
    assert search.look("a column", PLAIN[:-1].encode()) == []
    assert search.looked > 1000


def test_no_needle_is_so_short_that_it_stands_everywhere():
    assert min(len(needle) for _, needle in forms(PLAIN)) >= len(PLAIN)
