"""A stream as JSON Lines: one object a line, in which the record stands as it came."""

from __future__ import annotations

import json
from collections.abc import Sequence

from connections.exports.formats import FAST, Pieces, written_time
from connections.exports.reading import RecordRow

LEVEL = FAST
ONE_LINE = bytes.maketrans(b"\n\r", b"  ")


class JSONLinesWriter:
    """Each line: `key`, `first_seen`, `changed`, `gone`, `change_number`, and `record` to the letter.

    Line ends between the parts of a record become blanks; inside of its texts JSON has none.
    """

    def __init__(self, pieces: Pieces, columns: Sequence[str]) -> None:
        self._pieces = pieces

    def write(self, row: RecordRow) -> None:
        text = row.text if isinstance(row.text, bytes) else row.text.encode()
        if b"\n" in text or b"\r" in text:
            text = text.translate(ONE_LINE)
        gone = "null" if row.gone_at is None else f'"{written_time(row.gone_at)}"'
        self._pieces.write(
            f'{{"key":{json.dumps(row.key, ensure_ascii=False)},"first_seen":"{written_time(row.first_seen_at)}",'
            f'"changed":"{written_time(row.changed_at)}","gone":{gone},"change_number":{row.change_number},'
            f'"record":'.encode()
        )
        self._pieces.write(text)
        self._pieces.write(b"}\n")

    def close(self) -> None:
        self._pieces.close()


Writer = JSONLinesWriter
