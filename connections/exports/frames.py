"""What the worker and the process that writes a file say to each other: one request, then frames until it ends."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import IntEnum
from typing import Any, BinaryIO

CHUNK_BYTES = 512 * 1024  # of a file, before it is compressed; what the worker and a download hold at a time
LARGEST_FRAME_BYTES = 4 * CHUNK_BYTES  # more is no word of ours
_HEAD = struct.Struct(">BI")


class Word(IntEnum):
    """What a frame says. All but CHUNK hold JSON."""

    PROGRESS = 1  # {"looked": records, "written": records}
    COLUMNS = 2  # [name, ...]
    CHUNK = 3  # the plain size as four bytes, then the piece of the file, compressed by zlib
    END = 4  # {"written": records, "last": key, "is_whole": whether nothing is left, "peak_kilobytes": of the process}
    TROUBLE = (
        5  # {"error": the type of an exception, "place": file and line}: never its text, which may quote a record
    )


@dataclass(frozen=True)
class FileRequest:
    """One file: the records of one stream of a connection whose key is greater than `after`, in the order of their keys.

    `columns`: of the part before it, so that all parts have the same; None for the first. `database`: how psycopg connects.
    """

    database: dict[str, Any]
    tenant: str
    connection: str
    stream: str
    format: str
    after: str
    columns: list[str] | None
    most_records: int
    fields_seconds: float  # for the first look at the records, after which no new columns are made
    records_seconds: float  # for the rest, after which the file is brought to its end

    def line(self) -> bytes:
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def read(cls, stream: BinaryIO) -> FileRequest:
        return cls(**json.loads(stream.readline()))


def frame(word: Word, payload: bytes) -> bytes:
    return _HEAD.pack(word, len(payload)) + payload


class FrameReader:
    """Puts frames together from what arrives in pieces."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, piece: bytes) -> Iterator[tuple[Word, bytes]]:
        """The frames that are whole now. Raises ValueError for what is none."""
        self._buffer += piece
        while len(self._buffer) >= _HEAD.size:
            word, length = _HEAD.unpack_from(self._buffer)
            if length > LARGEST_FRAME_BYTES:
                message = "a frame larger than any of ours"
                raise ValueError(message)
            end = _HEAD.size + length
            if len(self._buffer) < end:
                return
            payload = bytes(self._buffer[_HEAD.size : end])
            del self._buffer[:end]
            yield Word(word), payload


def chunk_payload(piece: bytes, compressed: bytes) -> bytes:
    return struct.pack(">I", len(piece)) + compressed


def plain_size(payload: bytes) -> int:
    """Of a CHUNK, before it was compressed."""
    return int(struct.unpack_from(">I", payload)[0])


def compressed_piece(payload: bytes) -> bytes:
    return payload[4:]
