"""Takes a body in, as far as the cap goes: decoded bit by bit, so that a small answer cannot become a large one."""

from __future__ import annotations

import zlib
from typing import Any

from connections.transport import deadline
from connections.transport.egress_errors import NoAnswer, NotReadable, TooLarge

CHUNK = 64 * 1024
WINDOWS = {"gzip": 31, "x-gzip": 31, "deflate": 15}  # zlib's words for the wrapping


def read(raw: Any, encoding: str, cap: int) -> bytes:
    """The decoded body. `raw`: urllib3's answer; `encoding`: its Content-Encoding; `cap`: bytes, on the wire and decoded.

    We ask for no encoding. One of the usual ones is read all the same; several, or others, are not. Raises TooLarge,
    NotReadable, NoAnswer (cut), TimeoutError and what urllib3 raises.
    """
    encoding = encoding.strip().lower()
    if encoding not in ("", "identity", *WINDOWS):
        message = "an encoding that we did not ask for"
        raise NotReadable(message)
    unpacked = zlib.decompressobj(WINDOWS[encoding]) if encoding in WINDOWS else None
    content = bytearray()
    taken = 0
    while chunk := raw.read1(CHUNK, decode_content=False):
        deadline.left()
        taken += len(chunk)
        content += chunk if unpacked is None else _unpacked(unpacked, chunk, cap + 1 - len(content))
        if max(taken, len(content)) > cap:
            message = "the answer is too large"
            raise TooLarge(message)
    if unpacked is not None and taken and not unpacked.eof:
        message = "the answer is cut"
        raise NoAnswer(message)
    return bytes(content)


def _unpacked(unpacked: Any, chunk: bytes, room: int) -> bytes:
    try:
        piece: bytes = unpacked.decompress(chunk, room)
    except zlib.error:
        piece = b""
    else:
        if not unpacked.unused_data:
            return piece
    message = "an encoding that is broken"
    raise NotReadable(message)
