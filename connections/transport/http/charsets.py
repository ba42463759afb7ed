"""Bodies in other charsets, as UTF-8: by their first bytes, by Content-Type, by XML's own declaration."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from contextlib import suppress

CHARSET = re.compile(r"""charset\s*=\s*["']?\s*([\w.:-]+)""", re.IGNORECASE | re.ASCII)
HEAD = 1000  # bytes in which XML's declaration stands, blanks before it included
DECLARATION = re.compile(rb"""\s*(<\?xml\b[^>]{0,200}?)\s+encoding\s*=\s*(["'])([\w.:-]+)\2""")
# By Python's names, and each with ASCII in it. Of the others it knows, some take the square of a text's length.
KNOWN_CODECS = re.compile(
    r"utf-8|iso8859-\d+|cp437|cp8(?:[56]\d|74)|cp9(?:32|49|50)|cp125\d|koi8-[ru]|tis-620|gb2312|gbk|gb18030|big5"
    r"|shift_jis|euc_jp|euc_kr"
)
# What frameworks declare by themselves is declared of UTF-8, too. Browsers read both as windows-1252 (WHATWG).
DECLARED_BY_DEFAULT = ("ascii", "iso8859-1")


def as_utf8(body: bytes, content_type: str) -> bytes:
    """The body without a byte order mark, and without the encoding in XML's declaration, which is no longer true.

    JSON and XML begin with an ASCII character, so the first bytes tell UTF-16 and UTF-32 from all others, whatever is
    declared (.NET declares utf-16 in XML that it sends as UTF-8). Of the others the first that fits from end to end is
    taken: that of Content-Type (RFC 7303), of the declaration, UTF-8. Bytes that fit nowhere come back as bytes that are
    no UTF-8 either.
    """
    width = json.detect_encoding(body)
    if width not in ("utf-8", "utf-8-sig"):
        try:
            # Half a surrogate pair is passed on: parsing.py replaces it.
            return _undeclared(body.decode(width, "surrogatepass").encode("utf-8", "surrogatepass"))
        except UnicodeError:
            return body
    body = body.removeprefix(codecs.BOM_UTF8)
    names = [] if width == "utf-8-sig" or body.isascii() else list(_declared(body, content_type))
    if set(names) <= {"utf-8"}:
        return _undeclared(body)
    for name in (*names, "utf-8"):
        with suppress(UnicodeError):
            return _undeclared(body.decode(name).encode())
    return _undeclared(body.decode(names[0], "surrogateescape").encode("utf-8", "surrogatepass"))


def _declared(body: bytes, content_type: str) -> Iterator[str]:
    by_header, by_itself = CHARSET.search(content_type), DECLARATION.match(body[:HEAD])
    for name in (by_header[1] if by_header else "", by_itself[3].decode() if by_itself else ""):
        try:
            codec = codecs.lookup(name).name
        except LookupError:
            continue
        if codec in DECLARED_BY_DEFAULT:
            yield from ("utf-8", "cp1252", "iso8859-1")
        elif codec == "cp1252":
            yield from ("cp1252", "utf-8", "iso8859-1")  # which leaves a few bytes without a meaning
        elif KNOWN_CODECS.fullmatch(codec):
            yield codec


def _undeclared(body: bytes) -> bytes:
    declared = DECLARATION.match(body[:HEAD])
    return declared[1] + body[declared.end() :] if declared else body
