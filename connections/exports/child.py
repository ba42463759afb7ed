"""Runs the process that writes one file: starts it, hears what it says, and sees to it that it never outlives its use."""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from django.db import connection

from connections.exports.frames import FileRequest, FrameReader, Word

ROOT = Path(__file__).resolve().parent.parent.parent
READ_BYTES = 256 * 1024
TICK_SECONDS = 0.2  # between two looks at what else there is to know, while nothing is heard
# What it need not know: keys, addresses with passwords. How to reach the database it is told in its request.
PRIVATE = ("PORTAL_", "DATABASE_URL", "BROKER_URL")
# Gives back at once what is large, instead of keeping it for later.
MEMORY = {"MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": "131072", "ARROW_DEFAULT_MEMORY_POOL": "system"}
# Of what Django connects with; the rest of it are objects of Django's.
_CONNECTS_WITH_OBJECTS = {"cursor_factory", "context", "pool", "assume_role", "isolation_level", "server_side_binding"}


class FileProcessFailed(Exception):
    """The process ended before its file. The text holds no value of a record."""


def database_parameters() -> dict[str, Any]:
    """How psycopg connects to this process's database."""
    parameters = connection.get_connection_params()
    plain = {name: value for name, value in parameters.items() if name not in _CONNECTS_WITH_OBJECTS}
    return {**plain, "application_name": "portal-export"}


class FileProcess:
    """One process for one file; used as a context manager, at whose end it is gone."""

    def __init__(self, request: FileRequest) -> None:
        self._request = request

    def __enter__(self) -> Self:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(PRIVATE)}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "connections.exports.process"],
            cwd=ROOT,
            env={
                **environment,
                "PYTHONPATH": str(ROOT),
                **MEMORY,
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # an exception's text may quote a record
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def frames(self, *, seconds: float) -> Iterator[tuple[Word, bytes] | None]:
        """What it says, until END; None now and then while it says nothing. Raises FileProcessFailed.

        `seconds`: how long it may take for everything.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            message = "it has no pipes"
            raise FileProcessFailed(message)
        try:
            stdin.write(self._request.line())
            stdin.flush()
        except BrokenPipeError:
            message = "it did not begin"
            raise FileProcessFailed(message) from None
        reader, ends_at = FrameReader(), time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            while True:
                if time.monotonic() > ends_at:
                    message = "it took too long"
                    raise FileProcessFailed(message)
                if not selector.select(TICK_SECONDS):
                    yield None
                    continue
                piece = os.read(stdout.fileno(), READ_BYTES)
                if not piece:
                    message = f"it ended early, with code {self._process.wait()}"
                    raise FileProcessFailed(message)
                for word, payload in reader.feed(piece):
                    yield word, payload
                    if word == Word.END:
                        return
