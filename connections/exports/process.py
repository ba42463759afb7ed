"""The process of its own that writes one file of an export: `python -m connections.exports.process`.

It reads one request from its standard input and writes frames to its standard output (frames.py). It holds no key and none of
Django: it reads the records of one tenant and can write nothing. When its worker dies, or is done with it, its input ends, and
it ends with it.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

from connections.exports.flattening import Columns, Flattener
from connections.exports.formats import MOST_COLUMNS, FileWriter, Pieces
from connections.exports.frames import FileRequest, Word, frame
from connections.exports.reading import Snapshot, snapshot

PROGRESS_SECONDS = 0.5
ROWS_BETWEEN_LOOKS = 64  # at the clock
# Each brings its own libraries along: only the one that is needed is loaded.
MODULES = {
    "csv": "connections.exports.csv_file",
    "jsonl": "connections.exports.json_lines_file",
    "parquet": "connections.exports.parquet_file",
}
TABLES = ("csv", "parquet")  # formats with columns


class Speaker:
    """Sends frames, and how far it is now and then."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._next_progress_at = 0.0  # by time.monotonic
        self.looked = self.written = 0

    def send(self, data: bytes) -> None:
        self._stream.write(data)
        self._stream.flush()

    def say(self, word: Word, values: Any) -> None:
        self.send(frame(word, json.dumps(values).encode()))

    def tell_progress(self) -> None:
        now = time.monotonic()
        if now >= self._next_progress_at:
            self._next_progress_at = now + PROGRESS_SECONDS
            self.say(Word.PROGRESS, {"looked": self.looked, "written": self.written})


def write_file(request: FileRequest, speaker: Speaker, clock: Callable[[], float] = time.monotonic) -> None:
    """Write the file to its end, or as far as the request's bounds go: then `last` is where the next part goes on."""
    module = import_module(MODULES[request.format])
    with snapshot(request) as records:
        columns = request.columns or []
        if request.columns is None and request.format in TABLES:
            columns = _columns(records, request, speaker, clock)
            speaker.say(Word.COLUMNS, columns)
        writer: FileWriter = module.Writer(Pieces(speaker.send, module.LEVEL), columns)
        ends_at = clock() + request.records_seconds
        last, is_whole = request.after, True
        for row in records.rows():
            is_late = speaker.written % ROWS_BETWEEN_LOOKS == ROWS_BETWEEN_LOOKS - 1 and clock() > ends_at
            if speaker.written >= request.most_records or is_late:
                is_whole = False
                break
            writer.write(row)
            last = row.key
            speaker.written += 1
            if speaker.written % ROWS_BETWEEN_LOOKS == 0:
                speaker.tell_progress()
        writer.close()
    ends = {"written": speaker.written, "last": last, "is_whole": is_whole, "peak_kilobytes": _peak_kilobytes()}
    speaker.say(Word.END, ends)


def _peak_kilobytes() -> int:
    """The most memory that this process has had. What the kernel counts in `rusage` begins with what its worker had."""
    with suppress(OSError, ValueError):
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return int(status.partition("VmHWM:")[2].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _columns(records: Snapshot, request: FileRequest, speaker: Speaker, clock: Callable[[], float]) -> list[str]:
    """The union of the records' fields, as many as there may be columns."""
    columns, flattener = Columns(MOST_COLUMNS), Flattener()
    ends_at = clock() + request.fields_seconds
    for row in records.rows():
        if isinstance(row.text, str):
            columns.add(flattener.names(row.text))
        speaker.looked += 1
        if speaker.looked % ROWS_BETWEEN_LOOKS == 0:
            speaker.tell_progress()
            if clock() > ends_at:
                break
    return list(columns)


def _end_with_the_worker(stream: BinaryIO) -> None:
    """Nothing more is sent to us: an end of the input is the worker's."""
    stream.read(1)
    os._exit(1)


def main() -> int:
    """Returns the exit code: 0 where the file was written as far as it should be."""
    speaker = Speaker(sys.stdout.buffer)
    try:
        request = FileRequest.read(sys.stdin.buffer)
        threading.Thread(target=_end_with_the_worker, args=[sys.stdin.buffer], daemon=True).start()
        write_file(request, speaker)
    except BrokenPipeError:
        return 1
    except Exception as error:  # noqa: BLE001  (told by its type alone: its text may quote a record)
        place = traceback.extract_tb(error.__traceback__)[-1]
        speaker.say(Word.TROUBLE, {"error": type(error).__name__, "place": f"{place.filename}:{place.lineno}"})
        return 1
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # the thread that waits for more input must not be waited for
