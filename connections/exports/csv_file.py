"""A stream as CSV, for spreadsheets: a table with a row for each record."""

from __future__ import annotations

from collections.abc import Sequence

from connections.exports.csv_cells import cell, text_cell
from connections.exports.flattening import Flattener, rest
from connections.exports.formats import FAST, Pieces, headings, written_time
from connections.exports.reading import RecordRow

LEVEL = FAST
BYTE_ORDER_MARK = "\ufeff"  # spreadsheets take UTF-8 for something else without it
LINE_END = "\r\n"


class CSVWriter:
    """RFC 4180 in UTF-8."""

    def __init__(self, pieces: Pieces, columns: Sequence[str]) -> None:
        self._pieces, self._columns, self._known = pieces, list(columns), frozenset(columns)
        self._flattener = Flattener()
        self._put([text_cell(name) for name in headings(columns)], before=BYTE_ORDER_MARK)

    def write(self, row: RecordRow) -> None:
        own = [
            text_cell(row.key),
            written_time(row.first_seen_at),
            written_time(row.changed_at),
            written_time(row.gone_at),
            str(row.change_number),
        ]
        if isinstance(row.text, bytes):  # JSON: it begins with a bracket, and holds no NUL
            self._pieces.write(f'{",".join([*own, *[""] * len(self._columns)])},"'.encode("utf-8", "replace"))
            self._pieces.write(row.text.replace(b'"', b'""'))
            self._pieces.write(f'"{LINE_END}'.encode())
            return
        fields = self._flattener.fields(row.text)
        get = fields.get
        self._put([*own, *[cell(get(name)) for name in self._columns], cell(rest(fields, self._known))])

    def close(self) -> None:
        self._pieces.close()

    def _put(self, cells: Sequence[str], before: str = "") -> None:
        # Half a character, which JSON can name and UTF-8 cannot hold, becomes a question mark.
        self._pieces.write(f"{before}{','.join(cells)}{LINE_END}".encode("utf-8", "replace"))


Writer = CSVWriter
