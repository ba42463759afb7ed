"""What the three formats have in common: our own columns, their names, and where a file goes piece by piece."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from connections.exports.frames import CHUNK_BYTES, Word, chunk_payload, frame
from connections.exports.reading import RecordRow

MOST_COLUMNS = 300  # of the provider's; fields beyond them stand in one column, as JSON
# Our own columns come first, under these names; the last one holds the fields that have no column of their own.
OWN_COLUMNS = ("record key", "first seen", "changed", "gone", "change number")
REST_COLUMN = "other fields"
FAST = 1  # zlib's levels
STORED = 0


class FileWriter(Protocol):
    """Writes one file, record by record."""

    def write(self, row: RecordRow) -> None:
        """Add a record."""

    def close(self) -> None:
        """Bring the file to its end."""


class Pieces:
    """Takes bytes of a file and sends them on in frames, compressed."""

    def __init__(self, send: Callable[[bytes], None], level: int) -> None:
        self._send, self._level = send, level
        self._buffer = bytearray()

    def write(self, data: bytes | memoryview) -> int:
        """Returns how many bytes that were: all of them."""
        view, at = memoryview(data), 0
        while at < len(view):
            taken = view[at : at + CHUNK_BYTES - len(self._buffer)]
            self._buffer += taken
            at += len(taken)
            if len(self._buffer) == CHUNK_BYTES:
                self._send_piece(bytes(self._buffer))
                self._buffer.clear()
        return len(view)

    def close(self) -> None:
        """Send what is left."""
        if self._buffer:
            self._send_piece(bytes(self._buffer))
            self._buffer.clear()

    def _send_piece(self, piece: bytes) -> None:
        self._send(frame(Word.CHUNK, chunk_payload(piece, zlib.compress(piece, self._level))))


def headings(columns: Sequence[str]) -> list[str]:
    """The names of all columns of a table, each once: a provider's that is called like one before it gets a sign more."""
    names: list[str] = []
    taken: set[str] = set()
    for name in (*OWN_COLUMNS, *columns, REST_COLUMN):
        unique = name
        while unique in taken:
            unique += "_"
        taken.add(unique)
        names.append(unique)
    return names


def written_time(moment: datetime | None) -> str:
    """ISO 8601 in UTC, '' for none."""
    return "" if moment is None else f"{moment.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"
