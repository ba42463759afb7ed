"""A stream as Parquet: the provider's fields as texts, exactly as they came, our own columns with types.

Imported in the process that writes a file, and nowhere else: pyarrow needs as much memory as the rest of a worker.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from connections.exports.flattening import Flattener, rest
from connections.exports.formats import OWN_COLUMNS, STORED, Pieces, headings
from connections.exports.reading import RecordRow

LEVEL = STORED  # Parquet is compressed already
ROWS_OF_A_GROUP = 10_000
TEXT_OF_A_GROUP = 4_000_000  # characters
# Columns with a dictionary each, which needs memory of its own; the last column's values are long, and seldom the same.
MOST_DICTIONARIES = 60
_MOMENT = pa.timestamp("us", tz="UTC")
_OWN_TYPES = (pa.string(), _MOMENT, _MOMENT, _MOMENT, pa.int64())


class ParquetWriter:
    """Row groups of a bounded size, so that no more than one of them is held."""

    def __init__(self, pieces: Pieces, columns: Sequence[str]) -> None:
        self._pieces, self._columns, self._known = pieces, list(columns), frozenset(columns)
        self._flattener = Flattener()
        types = [*_OWN_TYPES, *[pa.string()] * (len(columns) + 1)]
        self._schema = pa.schema(list(zip(headings(columns), types, strict=True)))
        self._file = pq.ParquetWriter(
            pa.PythonFile(_Sink(pieces), mode="w"),
            self._schema,
            compression="zstd",
            compression_level=1,
            write_statistics=False,
            use_dictionary=self._schema.names[:-1] if len(columns) <= MOST_DICTIONARIES else False,
        )
        self._begin_group()

    def _begin_group(self) -> None:
        self._lists: list[list[Any]] = [[] for _ in self._schema]
        self._rows = self._text = 0

    def write(self, row: RecordRow) -> None:
        """Add a record to the row group, and write that once it is large enough."""
        if isinstance(row.text, bytes) and self._rows:
            self._end_group()  # a huge one stands alone
        fields = self._flattener.fields(row.text) if isinstance(row.text, str) else {}
        get, lists = fields.get, self._lists
        own = (row.key, row.first_seen_at, row.changed_at, row.gone_at, row.change_number)
        for values, value in zip(lists, own, strict=False):
            values.append(value)
        for values, name in zip(lists[len(OWN_COLUMNS) :], self._columns, strict=False):
            values.append(get(name))
        lists[-1].append(row.text if isinstance(row.text, bytes) else rest(fields, self._known))
        self._rows += 1
        self._text += len(row.text)
        if isinstance(row.text, bytes) or self._rows >= ROWS_OF_A_GROUP or self._text >= TEXT_OF_A_GROUP:
            self._end_group()

    def _end_group(self) -> None:
        arrays: list[pa.Array] = []
        for field in self._schema:
            arrays.append(_array(self._lists[len(arrays)], field.type))
            self._lists[len(arrays) - 1] = []  # each list goes as soon as its array is there
        self._file.write_batch(pa.record_batch(arrays, schema=self._schema))
        self._begin_group()

    def close(self) -> None:
        if self._rows:
            self._end_group()
        self._file.close()
        self._pieces.close()


def _array(values: list[Any], kind: pa.DataType) -> pa.Array:
    if len(values) == 1 and isinstance(values[0], bytes):  # a huge one is not copied
        offsets = pa.array([0, len(values[0])], type=pa.int32()).buffers()[1]
        return pa.StringArray.from_buffers(1, offsets, pa.py_buffer(values[0]))
    try:
        return pa.array(values, type=kind)
    except UnicodeEncodeError:  # half a character, which JSON can name and UTF-8 cannot hold
        texts = [value.encode("utf-8", "replace").decode() if isinstance(value, str) else value for value in values]
        return pa.array(texts, type=kind)


class _Sink:
    """A file as pyarrow wants one, of which nothing can be read again."""

    closed = False

    def __init__(self, pieces: Pieces) -> None:
        self._pieces = pieces

    def write(self, data: Any) -> int:
        return self._pieces.write(memoryview(data))

    def writable(self) -> bool:
        return True

    def flush(self) -> None: ...

    def close(self) -> None:
        self.closed = True


Writer = ParquetWriter
