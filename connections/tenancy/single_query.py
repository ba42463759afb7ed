"""One statement over a connection of its own, answered within a time or not at all: for whoever must not wait.

Django's connection has no end to waiting on this side: a server that is stopped, or a machine that is gone, answers neither
yes nor no, and the limits that the server keeps are not kept by it then. Only libpq's own functions let us wait for no longer
than we like, from the first packet to the last.
"""

from __future__ import annotations

import select
import time
from collections.abc import Sequence

import psycopg
from django.db import connection
from psycopg import pq
from psycopg.conninfo import make_conninfo

# Options of our settings that are for psycopg, not for libpq.
_NOT_FOR_LIBPQ = ("prepare_threshold",)
_FAILED = (pq.ExecStatus.FATAL_ERROR, pq.ExecStatus.BAD_RESPONSE, pq.ExecStatus.EMPTY_QUERY)


class DatabaseSilent(Exception):
    """The database did not answer in time, or said no. The text is PostgreSQL's first line, or ours."""


def query_within(seconds: float, statement: str, parameters: Sequence[str] = ()) -> list[tuple[str | None, ...]]:
    """The rows, each value as text; `parameters` are $1, $2 and so on. In autocommit, as whoever this process signs in as.

    Of several servers, each is given its share of the time, and the first that takes writes answers. Raises DatabaseSilent.
    """
    ends_at = time.monotonic() + seconds
    settings = connection.settings_dict
    hosts, ports = str(settings["HOST"]).split(","), str(settings["PORT"]).split(",")
    reason = ""
    for place, host in enumerate(hosts):
        left = ends_at - time.monotonic()
        line = _Line(ends_at - left * (len(hosts) - place - 1) / (len(hosts) - place))
        try:
            line.open(_address(host, ports[place] if place < len(ports) else ports[0], seconds))
            line.ends_at = ends_at
            return line.ask(statement, parameters)
        except (DatabaseSilent, psycopg.Error) as error:
            reason = str(error).strip().partition("\n")[0]
        finally:
            line.close()
    raise DatabaseSilent(reason)


def _address(host: str, port: str, seconds: float) -> bytes:
    settings = connection.settings_dict
    options = {name: value for name, value in settings["OPTIONS"].items() if name not in _NOT_FOR_LIBPQ}
    limit = f"-c statement_timeout={max(int(seconds * 1000), 1)}"
    parts = {
        **options,
        "options": f"{options.get('options', '')} {limit}".strip(),
        "dbname": settings["NAME"],
        "user": settings["USER"],
        "password": settings["PASSWORD"],
        "host": host,
        "port": port,
    }
    return make_conninfo(**{name: value for name, value in parts.items() if value}).encode()


class _Line:
    """One connection, which waits until `ends_at` (by time.monotonic) for everything together."""

    def __init__(self, ends_at: float) -> None:
        self.ends_at = ends_at
        self._connection: pq.abc.PGconn | None = None

    def open(self, address: bytes) -> None:
        self._connection = line = pq.PGconn.connect_start(address)
        status = pq.PollingStatus.WRITING
        while status != pq.PollingStatus.OK:
            if status == pq.PollingStatus.FAILED or line.status == pq.ConnStatus.BAD:
                raise DatabaseSilent(_reason(line))
            self._wait(line, select.POLLIN if status == pq.PollingStatus.READING else select.POLLOUT)
            status = pq.PollingStatus(line.connect_poll())
        line.nonblocking = 1

    def ask(self, statement: str, parameters: Sequence[str]) -> list[tuple[str | None, ...]]:
        line = self._connection
        if line is None:
            message = "not open"
            raise DatabaseSilent(message)
        line.send_query_params(statement.encode(), [each.encode() for each in parameters])
        while line.flush():
            self._wait(line, select.POLLIN | select.POLLOUT)
            line.consume_input()
        rows: list[tuple[str | None, ...]] = []
        while True:
            while line.is_busy():
                self._wait(line, select.POLLIN)
                line.consume_input()
            result = line.get_result()
            if result is None:
                return rows
            if result.status in _FAILED:
                raise DatabaseSilent(_reason(line))
            rows += [
                tuple(_text(result.get_value(row, column)) for column in range(result.nfields))
                for row in range(result.ntuples)
            ]

    def close(self) -> None:
        if self._connection is not None:
            self._connection.finish()

    def _wait(self, line: pq.abc.PGconn, event: int) -> None:
        poll = select.poll()  # select() ends at file number 1024
        poll.register(line.socket, event)
        left = self.ends_at - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            message = "no answer in time"
            raise DatabaseSilent(message)


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()


def _reason(line: pq.abc.PGconn) -> str:
    return line.error_message.decode(errors="replace").strip() or "no answer"
