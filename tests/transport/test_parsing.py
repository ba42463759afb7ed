"""Bodies are measured before anybody parses them."""

from __future__ import annotations

import json
import random
import string
from contextlib import suppress
from pathlib import Path

import pytest

from connections.providers import registry
from connections.spec import json_numbers
from connections.spec.envelope import id_of
from connections.spec.wire import Wire
from connections.transport.http import parsing
from connections.transport.log import redaction

JSON = Wire()
WHY = "too (deep|many|long)|no XML|document type|cannot read|can't decode|invalid escape"
XML = Wire(accept="application/xml", decode=lambda body: json.dumps(body.decode()).encode())


def refused(body, wire=JSON):
    with pytest.raises(ValueError, match=WHY):
        parsing.read(body, wire)


@pytest.mark.parametrize(("opened", "closed"), [(b"[", b"]"), (b'{"a":', b"}"), (b'[{"a":', b"}]")])
def test_fifty_levels_are_read_and_no_more(opened, closed):
    levels = opened.count(b"[") + opened.count(b"{")
    assert parsing.read(opened * (50 // levels) + b"1" + closed * (50 // levels), JSON)
    refused(opened * (50 // levels + 1) + b"1" + closed * (50 // levels + 1))


def test_no_decoder_sees_what_is_too_deep():
    wire = Wire(decode=lambda body: pytest.fail("decoded"))
    refused(b"[" * 51 + b"]" * 51, wire)
    refused(b"<a>" * 51 + b"</a>" * 51, Wire(accept="application/xml", decode=wire.decode))


@pytest.mark.parametrize("text", ["[" * 100, '"' * 60, "\\" * 7, '\\"[' * 60, '"}' * 60, "]]]\\", '{\\\\"', ",[" * 99])
def test_what_stands_in_a_text_is_no_bracket(text):
    value = {text: [text, {"b": text}]}
    assert parsing.read(json.dumps(value).encode(), JSON) == value


def test_depth_is_counted_as_a_parser_counts_it():
    """Random documents of brackets, quotes and backslashes, at the edge of what is allowed."""
    chance = random.Random(7)

    def grown(depth):
        if depth == 0:
            return "".join(chance.choices('[]{}"\\,:' + string.ascii_letters, k=chance.randrange(9)))
        inner = grown(depth - 1)
        return [grown(0), inner] if chance.random() < 0.5 else {f"{grown(0)}a": inner, "z": grown(0)}

    for _ in range(200):
        depth = chance.randrange(45, 56)
        body = json.dumps(grown(depth)).encode()
        if depth <= parsing.DEEPEST_NESTING:
            assert parsing.read(body, JSON) == json.loads(body)
        else:
            refused(body)


@pytest.mark.parametrize("piece", [b"[],", b"{},", b'{"a":1},', b"1,", b'"",', b'"[ ",', b'"a,",'])
def test_millions_of_small_values_are_not_read(piece):
    refused(b"[" + piece * (4_000_000 // len(piece)) + b"0]")


def test_a_page_of_real_records_is_read():
    record = {"id": 1, "name": "Aamu Oy", "rows": [{"a": 1, "b": None}], "address": {"street": "Esimerkkikatu 1, A"}}
    page = {"results": [record] * 20_000}
    assert parsing.read(json.dumps(page).encode(), JSON) == page


@pytest.mark.parametrize(
    "body",
    [
        b"<!DOCTYPE a><a/>",
        b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
        b'<?xml version="1.0" encoding="nonsense"?><a/>',
        b"<a><b></a>",
        b"<a/><b/>",
        b"<a>" + b"<b/>" * 500_000 + b"</a>",
        b"<a " + b" ".join(b'b%d=">"' % at for at in range(50_000)) + b"/>",
        b"<a><!--" + b"x" * 500_000 + b"--></a>",
    ],
)
def test_xml_that_is_no_document_of_ours_is_not_read(body):
    refused(body, XML)


@pytest.mark.parametrize("body", ["<a>" + "å" * 200_000 + "</a>", "<a>" + "<b>some text here</b>" * 50_000 + "</a>"])
def test_large_xml_is_read(body):
    assert parsing.read(body.encode(), XML) == body


@pytest.mark.parametrize("wire", [JSON, XML, Wire(decode=lambda body: pytest.fail("decoded"))])
@pytest.mark.parametrize("body", [b"", b" \r\n", b"\x00"])
def test_an_empty_body_is_no_value(wire, body):
    assert parsing.parse(body, wire) == parsing.Parsed(None, b"null")


@pytest.mark.parametrize(
    "error", [KeyError, TypeError, RecursionError, OverflowError, LookupError, UnicodeDecodeError]
)
def test_whatever_a_decoder_trips_over_is_an_unreadable_body(error):
    def decode(body):
        raise error(*(("utf-8", b"", 0, 1, "x") if error is UnicodeDecodeError else ()))

    refused(b"{}", Wire(decode=decode))


@pytest.mark.parametrize("slug", sorted(registry.all_providers()))
@pytest.mark.parametrize("body", [b'"' + b'\\"' * 500_000, b'"\\', b'["a", "' + b"\\" * 1_000_001, b'"0' * 499_999])
def test_a_text_that_never_ends_is_refused_at_once(slug, body):
    """Customers choose the host: what it sends must not hold a worker up. Read again and again it takes hours."""
    wires = registry.all_providers()[slug].wires.values()
    for wire in [JSON, *wires]:
        with pytest.raises(ValueError, match=r"."):
            parsing.read(body, wire)


@pytest.mark.parametrize("number", ["9" * 5000, "-" + "9" * 5000, "1e999"])
def test_a_number_beyond_all_numbers_is_unreadable(number):
    with pytest.raises(ValueError, match="infinity"):
        parsing.read(f'{{"id": {number}}}'.encode(), JSON)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1.5E+400", "9" * 5000])
def test_a_number_that_is_none_spoils_only_its_own_record_in_a_list(number):
    body = '[{"id":1,"x":0.10},{"id":2,"x":HERE,"name":"NaN, 1e999 [\\" Infinity"},{"id":3}]'.replace("HERE", number)
    parsed = parsing.parse(body.encode(), JSON)
    assert [each.get("x") for each in parsed.values] == [0.1, None, None]
    assert parsed.values[1]["name"] == 'NaN, 1e999 [" Infinity'
    assert parsed.document.decode() == body.replace(f'"x":{number}', '"x":1e999999')
    assert not parsed.is_mended
    assert json_numbers.dumps(parsed.exact()).decode() == body


@pytest.mark.parametrize(
    "body", ["NaN", '{"list":NaN}', '{"list":[1],"x":NaN}', "[NaNa]", "[fooNaN]", "[1.2.3e999]", '[1,"x]', "[1,-e999]"]
)
def test_what_is_no_number_outside_of_a_list_of_records_is_refused(body):
    with pytest.raises(ValueError, match=r"."):
        parsing.parse(body.encode(), JSON)


def test_millions_of_numbers_hold_nobody_up():
    """Time that grows with the square of what came would be hours here."""
    records = b",".join(
        b'{"id":%d,"name":"a name of usual length","total":12.50}' % number for number in range(150_000)
    )
    assert len(parsing.parse(b"[" + records + b',{"x":NaN}]', JSON).values) == 150_001
    for body in (b"[" + b"9" * 5_000_000 + b"]", b"[" + b"1e999 " * 500_000, b"[" + b"NaN" * 1_000_000):
        with suppress(ValueError):
            parsing.parse(body, JSON)


@pytest.mark.parametrize("digits", ["12345678901234567.89", "18446744073709551617", "1.50", "1e5", "-0.0", "17.0"])
def test_shown_values_have_the_digits_that_came(digits):
    exact = parsing.parse(b'{"list":[%s]}' % digits.encode(), JSON).exact()
    assert exact == {"list": [float(digits)]}
    assert str(exact["list"][0]) == digits
    assert redaction.as_text(exact).split() == ["{", '"list":', "[", digits, "]", "}"]


@pytest.mark.parametrize(
    ("written", "id_"),
    [
        ("17.0", "17"),
        ("1.7e1", "17"),
        ("1.50", "1.5"),
        ("12345678901234567890123", "12345678901234567890123"),
        ("12345678901234567.8900", "12345678901234567.89"),
        ("1e22", "10000000000000000000000"),
        ("0.00000000000000000000001", "0.00000000000000000000001"),
    ],
)
def test_an_id_is_spelled_as_the_database_spells_it(written, id_):
    [record] = parsing.parse(b'[{"id":%s}]' % written.encode(), JSON).values
    assert id_of(record, "id") == id_


DIGITS = b'[{"id":1,"total":12345678901234567.89,"n":1.50},{"id":18446744073709551617,"name":"%b"}]'


@pytest.mark.parametrize("wire", [JSON, registry.all_providers()["pentamic"].wires["json"]])
@pytest.mark.parametrize(
    ("odd", "mended", "text"),
    [
        (rb"x\u0000y", rb"x\ufffdy", "x\ufffdy"),
        (rb"x\ud83dy", rb"x\ufffdy", "x\ufffdy"),
        (rb"x\uDE00y", rb"x\ufffdy", "x\ufffdy"),
        (rb"\uDE00\uD83D", rb"\ufffd\ufffd", "\ufffd\ufffd"),
        (rb"\uD83D\uD83D\uDE00", rb"\ufffd\uD83D\uDE00", "\ufffd😀"),
        (b"x\x00y", "x\ufffdy".encode(), "x\ufffdy"),
        (b"H\xe4me", "H\ufffdme".encode(), "H\ufffdme"),
        (b"x\xed\xa0\xbdy", "x\ufffdy".encode(), "x\ufffdy"),
    ],
)
def test_what_no_database_keeps_is_mended_and_nothing_else(wire, odd, mended, text):
    parsed = parsing.parse(DIGITS % odd, wire)
    assert parsed.document == DIGITS % mended
    assert parsed.values[1]["name"] == text
    assert parsed.is_mended


@pytest.mark.parametrize("wire", [JSON, registry.all_providers()["pentamic"].wires["json"]])
@pytest.mark.parametrize(
    ("written", "text"),
    [
        (rb"\uD83D\uDE00 \uffff \u0001", "😀 \uffff \x01"),
        (rb"C:\\u0000\\ud800\\", "C:\\u0000\\ud800\\"),
        (rb"\"\\\\u0000", '"\\\\u0000'),
        ("Ääkkönen \ufffd".encode(), "Ääkkönen \ufffd"),
    ],
)
def test_what_is_in_order_is_left_alone(wire, written, text):
    parsed = parsing.parse(DIGITS % written, wire)
    assert (parsed.document, parsed.values[1]["name"], parsed.is_mended) == (DIGITS % written, text, False)


def test_line_breaks_and_tabs_in_texts_are_read():
    parsed = parsing.parse(DIGITS % b"a\tb\r\nc\\\\\x1f", JSON)
    assert parsed.values[1]["name"] == "a\tb\r\nc\\\x1f"
    assert parsed.document == DIGITS % rb"a\u0009b\u000d\u000ac\\\u001f"
    refused(b'["a\\\n"]')


def test_a_c_string_ends_behind_its_body():
    assert parsing.read(b'{"a": 1}\r\n\x00', JSON) == {"a": 1}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'\xff{"access_token": "a", "expires_in": NaN}', None),
        (b'{"access_token": "a", "expires_in": 1e999, "x": "\xe4\n"}', "a"),
        (b'{"access_token": "a", "expires_in": ' + b"9" * 5000 + b"}", "a"),
        (b'{"access_token": "a", "scope": "\\ud800"}', "a"),
        (b"no", None),
        (b"[" * 60_000, None),
        (b'{"access_token": "a", "expires_in": NaN, "x": "' + b"x" * 100_000 + b'"}', None),
        (b"", None),
    ],
)
def test_a_token_is_read_out_of_much(body, expected):
    found = parsing.read_leniently(body)
    assert (found and found["access_token"]) == expected


ODD = [None, True, 7, "x", [], [[]], [None], {}, {"": None}]


@pytest.mark.parametrize(
    "slug", sorted(path.parent.name for path in Path("connections/providers").glob("*/provider.py"))
)
def test_no_catalogue_of_faults_trips_over_an_odd_body(slug):
    """Refusals are read by code of every provider: whatever stands where, it finds codes or none."""
    provider = registry.all_providers()[slug]
    chance = random.Random(slug)
    names = [
        "error",
        "errors",
        "error_description",
        "message",
        "code",
        "field",
        "Errors",
        "Message",
        "ErrorCode",
        "status",
    ]
    names += [
        "fields",
        "detail",
        "title",
        "Code",
        "success",
        "ok",
        "data",
        "result",
        "error_code",
        "type",
        "description",
    ]

    def grown(depth):
        if depth == 0 or chance.random() < 0.3:
            return chance.choice(ODD)
        if chance.random() < 0.4:
            return [grown(depth - 1) for _ in range(chance.randrange(3))]
        return {chance.choice(names): grown(depth - 1) for _ in range(chance.randrange(4))}

    for body in [*ODD, *(grown(4) for _ in range(3000))]:
        assert isinstance(provider.faults.in_good(body), bool)
        assert all(isinstance(code, str) for code in provider.faults.read_codes(body))
        assert all(isinstance(each, str) for pair in provider.faults.read_fields(body) for each in pair)
