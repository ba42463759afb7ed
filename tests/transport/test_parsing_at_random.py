"""Pages of random records, written in every way that servers write them: no record is lost, no digit changes, and what
cannot be read raises nothing but what is declared. The seed is printed; BODIES_SEED=<seed> repeats a run.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import zlib
from collections import Counter
from decimal import Decimal
from xml.sax.saxutils import escape, quoteattr

import pytest
from django.db import DataError
from django.db import connection as database

from connections.providers import registry
from connections.spec.wire import Wire
from connections.sync import upsert
from connections.tenancy.scope import SYSTEM, tenant_scope
from connections.transport.http import bodies, charsets, deadline, parsing
from connections.transport.http.errors import EgressError
from connections.vault.services import open_connection
from tests.roles import acting_as

PENTAMIC = registry.all_providers()["pentamic"].wires
JSON = Wire()
CAP = 1_000_000
CHARSETS = {
    "utf-8": "Äå€ŐжاđЖ😀\u2028\ufffd",
    "utf-8-sig": "Äå€😀",
    "utf-16": "Äå€😀",
    "utf-16-le": "Äå€😀",
    "utf-32-be": "Äå😀",
    "iso-8859-1": "Äåéß",
    "windows-1252": "Äå€–“",
    "iso-8859-15": "Äå€Š",
    "windows-1251": "Жяй№",
    "windows-1256": "تهران",
    "windows-1258": "đĐƠ".replace("Ơ", "Â"),
    "koi8-r": "Жяй",
    "gb18030": "北京😀",
}


@pytest.fixture
def chance():
    seed = int(os.environ.get("BODIES_SEED", "0")) or random.SystemRandom().randrange(1, 2**32)
    print(f"BODIES_SEED={seed}")  # noqa: T201  (shown where the test fails)
    return random.Random(seed)


class Raw(io.BytesIO):
    def read1(self, size=-1, *, decode_content=False):
        return super().read1(min(size, 1000))


def received(body, encoding="", content_type=""):
    with deadline.within(60):
        return charsets.as_utf8(bodies.read(Raw(body), encoding, CAP), content_type)


class Page:
    """Records as they are meant, and one of the texts that mean them. Numbers are (digits,)."""

    def __init__(self, chance, charset="utf-8"):
        self.chance, self.charset, self.is_odd = chance, charset, False
        self.letters = CHARSETS[charset]

    def number(self):
        c = self.chance
        whole = str(c.randrange(10 ** c.choice((1, 3, 17, 25, 40))))
        digits = c.choice(("", "-")) + whole
        if c.random() < 0.5:
            digits += "." + "".join(c.choices("0123456789", k=c.randrange(1, 30)))
        if c.random() < 0.2:
            digits += c.choice("eE") + c.choice(("", "+", "-")) + str(c.randrange(30))
        return digits

    def text(self):
        """(as meant, as written without its quotes)."""
        meant, written = "", ""
        for _ in range(self.chance.randrange(8)):
            kind = self.chance.randrange(9)
            if kind == 0:
                each = self.chance.choice('"\\/\b\f\n\r\t')
                meant, written = meant + each, written + {"/": "\\/"}.get(each, json.dumps(each)[1:-1])
            elif kind == 1:
                each = chr(self.chance.choice((0x01, 0x1F, 0x7F, 0xE9, 0x4E2D, 0xFFFF, 0xFFFE, 0x1F600, 0x10FFFF)))
                meant, written = meant + each, written + json.dumps(each)[1:-1]
            elif kind == 2:
                self.is_odd = True
                half = self.chance.choice(("\\u0000", "\\ud800", "\\uDBFF", "\\uDC00", "\\udfff"))
                # A following half would make it a whole.
                meant, written = meant + "\ufffd|", written + half + "|"
            elif kind == 3:
                meant, written = meant + "\\u0000\\", written + "\\\\u0000\\\\"
            elif kind == 4:
                each = self.chance.choice(("{}[],:", "17.0", "0123", "taxCode", '"id": 5'))
                meant, written = meant + each, written + each.replace('"', '\\"')
            elif kind == 5 and self.letters:
                each = self.chance.choice("\t\n\x1f")  # as it is, which strict JSON does not allow
                meant, written = meant + each, written + each
            else:
                each = self.chance.choice(self.letters + "abc")
                meant, written = meant + each, written + each
        return meant, written

    def value(self, depth=2):
        kind = self.chance.randrange(8)
        if kind < 3:
            digits = self.number()
            return Decimal(digits), digits
        if kind < 6 or depth == 0:
            meant, written = self.text()
            return meant, f'"{written}"'
        if kind == 6:
            items = [self.value(depth - 1) for _ in range(self.chance.randrange(3))]
            return [each for each, _ in items], f"[{self.space().join(('', *(','.join(w for _, w in items),)))}]"
        return self.fields([], depth - 1)

    def fields(self, first, depth):
        pairs = list(first)
        for number in range(self.chance.randrange(1, 5)):
            name, written = self.text()
            # Numbered, so that no two are one.
            meant, value = self.value(depth)
            pairs.append((f"f{number}{name}", f'"f{number}{written}"', meant, value))
        self.chance.shuffle(pairs)
        text = ",".join(f"{self.space()}{name}{self.space()}:{self.space()}{value}" for _, name, _, value in pairs)
        return {name: value for name, _, value, _ in pairs}, f"{{{text}{self.space()}}}"

    def space(self):
        return self.chance.choice(("", "", "", " ", "\r\n", "\t"))

    def identity(self, number):
        written = self.chance.choice(("{}", "{}.0", "{}e0", '"{}"', "{}.00E+00", "{}0e-1")).format(number)
        return str(number), written

    def records(self, count):
        """What is to be kept, by id, in the order of the page, and how many items are none; and the page."""
        kept, bad, written = {}, 0, []
        for number in range(count):
            if self.chance.random() < 0.1:
                bad += 1
                written.append(
                    self.chance.choice(("null", "5", '"id"', "[]", "{}", '{"id": null}', '{"id": ""}', '{"id": {}}'))
                )
                continue
            identity, text = self.identity(number + 1)
            value = Decimal(text) if not text.startswith('"') else identity
            meant, record = self.fields([("id", '"id"', value, text)], 2)
            kept[identity] = meant
            written.append(record)
        return kept, bad, f"{self.space()}[{','.join(written)}]{self.space()}"


def exact(text):
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


def packed(chance, body):
    """The body as it goes over the wire, and what the header says of it: the truth, or a usual untruth."""
    deflate = zlib.compressobj(wbits=-15)
    raw = deflate.compress(body) + deflate.flush()
    return chance.choice(
        [(body, each) for each in ("", "identity", "none", "UTF-8", "gzip", "deflate", "br")]
        + [(gzip.compress(body), each) for each in ("gzip", "x-gzip", "", "identity", "deflate")]
        + [(zlib.compress(body), each) for each in ("deflate", "gzip")]
        + [(raw, "deflate")]
    )


@pytest.mark.parametrize("wire", [JSON, PENTAMIC["json"]], ids=["json", "dialect"])
def test_every_json_page_means_the_same_in_every_form(chance, wire):
    for _ in range(400):
        charset = chance.choice(list(CHARSETS))
        page = Page(chance, charset)
        kept, bad, text = page.records(chance.randrange(1, 8))
        is_declared = (
            charset not in ("utf-8", "utf-8-sig") and not charset.startswith("utf-16-") and charset[4:6] != "32"
        )
        declared = f"application/json; charset={charset}" if is_declared else "application/json"
        parsed = parsing.parse(received(*packed(chance, text.encode(charset)), declared), wire)
        found = exact(parsed.document)
        assert len(found) == len(parsed.values) == len(kept) + bad
        good = [each for each in found if isinstance(each, dict) and each.get("id") not in (None, "", {})]
        assert good == list(kept.values())
        assert parsed.is_mended == page.is_odd


@pytest.mark.parametrize("way", ["flip", "cut", "double", "splice"])
def test_broken_pages_raise_what_is_declared(chance, way):
    wires = [JSON, PENTAMIC["json"], PENTAMIC["xml"]]
    for _ in range(600):
        charset = chance.choice(list(CHARSETS))
        text = Page(chance, charset).records(4)[2] if chance.random() < 0.6 else Tree(chance).written
        body = bytearray(text.encode(charset, "replace"))
        at = chance.randrange(len(body))
        if way == "flip":
            for _ in range(3):
                body[chance.randrange(len(body))] = chance.randrange(256)
        elif way == "cut":
            del body[at : at + chance.randrange(1, 9)]
        elif way == "double":
            body[at:at] = body[at : at + 40]
        else:
            body[at:at] = chance.choice(
                (b"\\", b'"', b"\\u", b"\x00", b"\xed\xa0\x80", b"\\ud800", b"&#0;", b"<![CDATA[", b"]]>")
            )
        sent, encoding = packed(chance, bytes(body))
        declared = f"text/plain; charset={chance.choice(list(CHARSETS))}"
        try:
            parsed = parsing.parse(received(sent, encoding, declared), chance.choice(wires))
        except (ValueError, EgressError):
            continue
        parsed.document.decode()
        json.loads(parsed.document)


class Tree:
    """A random document of records, and every text in it, by the name it stands under."""

    NAMES = ("Phone", "Lines", "Line", "Note", "Address", "Rows", "InvoiceRow", "Total")

    def __init__(self, chance):
        self.chance, self.texts = chance, Counter()
        count = chance.randrange(1, 5)
        records = "".join(f"<Customer><Id>{number}</Id>{self.children(2)}</Customer>" for number in range(count))
        self.count, self.written = count, f"<ArrayOfCustomer>{records}</ArrayOfCustomer>"

    def children(self, depth):
        return "".join(self.element(depth) for _ in range(self.chance.randrange(5)))

    def element(self, depth):
        name = self.chance.choice(self.NAMES)
        attributes = ""
        if self.chance.random() < 0.1:
            attributes = f" kind={quoteattr(self.word())}"
        inner = self.children(depth - 1) if depth and self.chance.random() < 0.4 else escape(self.word())
        return f"<{name}{attributes}>{inner}</{name}>"

    def word(self):
        text = "".join(self.chance.choices("abc 019.<>&\"'жЖ", k=self.chance.randrange(1, 6))).strip() or "x"
        self.texts[text] += 1
        return text


def leaves(value):
    if isinstance(value, dict):
        for each in value.values():
            yield from leaves(each)
    elif isinstance(value, list):
        for each in value:
            yield from leaves(each)
    elif isinstance(value, str) and value:
        yield value


def test_no_element_of_xml_is_lost(chance):
    for _ in range(800):
        tree = Tree(chance)
        declared = chance.choice(("utf-8", "windows-1251", "utf-16"))
        text = f"<?xml version='1.0' encoding='{declared}'?>{tree.written}"
        body = text.encode("utf-8" if chance.random() < 0.3 and declared == "utf-16" else declared)
        parsed = parsing.parse(received(*packed(chance, body)), PENTAMIC["xml"])
        assert [each["id"] for each in parsed.values] == list(range(tree.count))
        assert Counter(leaves(parsed.values)) == tree.texts
        assert not parsed.is_mended


@pytest.fixture
def place(committed_db, aamu, settings):
    from portal.env import SandboxHosts

    settings.SANDBOX_HOSTS = {"procountor": SandboxHosts(api="https://localhost:1/api")}
    with tenant_scope(aamu.id):
        return open_connection(tenant=aamu, provider="procountor", environment="sandbox", actor=SYSTEM)


def test_the_database_keeps_every_record_and_every_digit(chance, place):
    for number in range(60):
        page = Page(chance)
        kept, bad, text = page.records(chance.randrange(1, 12))
        document = parsing.parse(text.encode(), JSON).document.decode()
        if chance.random() < 0.3:
            document, bad = document.replace("[", '[{"id": 99, "sum": 1e400000},', 1), bad + 1
        stream = f"s{number}"
        with acting_as("worker"), tenant_scope(place.tenant_id):
            written = upsert.write(connection=place, stream=stream, key="id", document=document.encode())
            again = upsert.write(connection=place, stream=stream, key="id", document=document.encode())
        assert (written.added, written.changed, written.refused_count) == (len(kept), 0, bad)
        assert (again.added, again.changed, again.refused_count) == (0, 0, bad)
        with database.cursor() as cursor:
            cursor.execute("SELECT external_id, body::text FROM sync_record WHERE stream = %s", [stream])
            assert {name: exact(body) for name, body in cursor.fetchall()} == kept


def test_whatever_is_read_can_be_written_or_is_no_list(chance, place):
    for _ in range(300):
        body = bytearray(Page(chance).records(4)[2].encode())
        for _ in range(2):
            body[chance.randrange(len(body))] = chance.choice(b'0123456789eE.-+"{}[],:\\u\x00\xff')
        try:
            parsed = parsing.parse(bytes(body), JSON)
        except ValueError:
            continue
        with acting_as("worker"), tenant_scope(place.tenant_id):
            if not isinstance(parsed.values, list):
                with pytest.raises(DataError):
                    upsert.write(connection=place, stream="x", key="id", document=parsed.document)
                continue
            written = upsert.write(connection=place, stream="x", key="id", document=parsed.document)
        assert written.added + written.changed + written.refused_count <= len(parsed.values)
