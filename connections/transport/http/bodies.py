"""Takes a body in, as far as the cap goes, and unpacks it once, so that a small answer cannot become a large one."""

from __future__ import annotations

import re
import zlib
from typing import Any

from connections.transport.http import deadline
from connections.transport.http.errors import NoAnswer, NotReadable, TooLarge

CHUNK = 64 * 1024
GZIP, ZLIB, RAW = 31, 15, -15  # how zlib numbers the formats
GZIP_MAGIC = b"\x1f\x8b"
COMPRESSED = ("gzip", "x-gzip", "deflate")
# What servers write there that is no encoding.
NOT_COMPRESSED = ("", "identity", "none", "utf-8", "utf8")
# How JSON and XML begin, a byte order mark, blanks and UTF-16 included.
TEXT = re.compile(rb"(?:\xef\xbb\xbf|\xff\xfe|\xfe\xff)?[\x00\s]*(?:[\[{\"<\d-]|true|false|null)")


def read(raw: Any, encoding: str, cap: int) -> bytes:
    """The decoded body. `raw`: urllib3's answer; `encoding`: its Content-Encoding; `cap`: bytes, on the wire and decoded.

    We ask for no encoding. The usual ones are read all the same, whichever is named: what the bytes are counts, as
    servers and those between say gzip of what is plain, and nothing of what is packed. Several, or others, are not read.
    Raises TooLarge, NotReadable, NoAnswer (cut), TimeoutError and what urllib3 raises.
    """
    body = _read_capped(raw, cap)
    named = encoding.strip().lower()
    if body.startswith(GZIP_MAGIC) and named in (*COMPRESSED, *NOT_COMPRESSED):
        return _decompress(body, GZIP, cap)
    if named in COMPRESSED and _has_zlib_header(body):
        return _decompress(body, ZLIB, cap)
    if not body or named in NOT_COMPRESSED:
        return body
    if named == "deflate" and (found := _decompress_raw_deflate(body, cap)) is not None:
        return found
    if TEXT.match(body):
        return body
    message = "an encoding that is broken" if named in COMPRESSED else "an encoding that we did not ask for"
    raise NotReadable(message)


def _read_capped(raw: Any, cap: int) -> bytes:
    """Raises TooLarge."""
    chunks, size = [], 0
    while chunk := raw.read1(CHUNK, decode_content=False):
        deadline.seconds_left()
        chunks.append(chunk)
        size += len(chunk)
        if size > cap:
            raise _too_large()
    return b"".join(chunks)


def _has_zlib_header(body: bytes) -> bool:
    """By its head (RFC 1950): the method, and a check sum of both bytes."""
    return len(body) > 1 and body[0] & 0x8F == 8 and int.from_bytes(body[:2]) % 31 == 0


def _decompress_raw_deflate(body: bytes, cap: int) -> bytes | None:
    """Deflate without the head of zlib, as some send it; None where it is none. Raises TooLarge, NoAnswer.

    Nothing but the end of the stream tells it from a text: no text ends where a stream would.
    """
    try:
        return _decompress(body, RAW, cap)
    except NoAnswer:
        if TEXT.match(body):
            return None
        raise
    except TooLarge:
        raise
    except NotReadable:
        return None


def _decompress(body: bytes, wrapping: int, cap: int) -> bytes:
    """Raises TooLarge, NotReadable, NoAnswer (cut)."""
    unpacking = zlib.decompressobj(wrapping)
    try:
        content = unpacking.decompress(body, cap + 1)
    except zlib.error:
        content = b""
        is_broken = True
    else:
        is_broken = bool(unpacking.unused_data)
    if len(content) > cap:
        raise _too_large()
    if is_broken:
        message = "an encoding that is broken"
        raise NotReadable(message)
    if not unpacking.eof:
        message = "the answer is cut"
        raise NoAnswer(message)
    return content


def _too_large() -> TooLarge:
    message = "the answer is too large"
    return TooLarge(message)
