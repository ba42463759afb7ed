"""Everywhere a secret could have been written down, one place after the other: (where, text or bytes)."""

from __future__ import annotations

import email
import email.policy
import html
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import psycopg
import redis
from psycopg import sql

from tests.drills.canary_house import CanaryHouse, Needles, descendants
from tests.drills.canary_visitor import Pages
from tests.searching import Search

Place = tuple[str, str | bytes]

# Folders that are not searched: what is in them are the secrets themselves, at home.
AT_HOME = {
    "keys": "the key files and the addresses with passwords, 0600, in a folder of 0700",
    "sandbox": "the providers' own books",
    "postgres": "the database's files; its tables are read instead",
}


@dataclass(frozen=True)
class Allowed:
    """A secret that must be somewhere to be of use: a beginning of what it is, a pattern of the place, and what for."""

    what: str
    where: str
    reason: str


ALLOWED = (
    Allowed(
        "state of ",
        r"page POST /t/[\w-]+/c/[0-9a-f-]+/checklist/[\w-]+/connect/[\w-]+/ \(200\) of .+",
        "the departure page's link to the provider carries it there: that is what `state` is for (RFC 6749 4.1.1)",
    ),
)


@dataclass
class Found:
    """What a sweep came upon; how often each exception was needed."""

    leaks: list[str]
    allowed: dict[Allowed, int]
    looked: dict[str, int]  # bytes by sink


def sweep(house: CanaryHouse, needles: Needles, pages: Pages, more: Iterable[Place] = ()) -> Found:
    """Look for every secret in every form everywhere. `more`: what else was gathered, such as exceptions."""
    search = Search(needles)
    found = Found([], dict.fromkeys(ALLOWED, 0), {})
    sinks: dict[str, Iterable[Place]] = {
        "database": database(house),
        "broker": broker(house),
        "files": files(house),
        "mails": mails(house),
        "pages": rendered(pages),
        "exceptions": more,
        "processes": processes(house),
    }
    for name, places in sinks.items():
        before = search.looked
        for where, text in places:
            for hit in search.look(where, text):
                excuse = next((each for each in ALLOWED if _covers(each, hit, where)), None)
                if excuse is None:
                    found.leaks.append(hit)
                else:
                    found.allowed[excuse] += 1
        found.looked[name] = search.looked - before
    return found


def _covers(allowed: Allowed, hit: str, where: str) -> bool:
    return hit.startswith(allowed.what) and re.fullmatch(allowed.where, where) is not None


# -- the database ------------------------------------------------------------------------------------------------------


def database(house: CanaryHouse) -> Iterator[Place]:
    """Every row of every table of every database, past all row security; each column by itself, bytes as they are."""
    with psycopg.connect(house.postgres.admin_address()) as link:
        names = link.execute("SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate").fetchall()
    for (name,) in names:
        with psycopg.connect(house.postgres.admin_address(name)) as link:
            yield from _tables(link, name)
            asked = link.execute("SELECT query FROM pg_stat_activity WHERE pid <> pg_backend_pid()").fetchall()
            yield f"running statements of {name}", "\n".join(query or "" for (query,) in asked)


def _tables(link: psycopg.Connection[Any], database: str) -> Iterator[Place]:
    tables = link.execute(
        "SELECT c.oid, n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind IN ('r', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')"
    ).fetchall()
    for oid, schema, table in tables:
        columns = link.execute(
            "SELECT attname, atttypid = 'bytea'::regtype FROM pg_attribute"
            " WHERE attrelid = %s AND attnum > 0 AND NOT attisdropped",
            [oid],
        ).fetchall()
        of_table = sql.SQL(".").join(map(sql.Identifier, (schema, table)))
        for column, is_bytes in columns:
            wanted = sql.Identifier(column) if is_bytes else sql.SQL("{}::text").format(sql.Identifier(column))
            rows = link.execute(sql.SQL("SELECT {} FROM {}").format(wanted, of_table)).fetchall()
            values = [bytes(value) if is_bytes else value.encode() for (value,) in rows if value is not None]
            yield f"table {database}.{table}.{column}", b"\n".join(values)
        rows = link.execute(sql.SQL("SELECT to_jsonb(each)::text FROM {} AS each").format(of_table)).fetchall()
        yield f"table {database}.{table}, whole rows", "\n".join(row for (row,) in rows)
    objects = link.execute("SELECT data FROM pg_largeobject").fetchall()
    yield f"large objects of {database}", b"".join(bytes(data) for (data,) in objects)


# -- the broker --------------------------------------------------------------------------------------------------------


def broker(house: CanaryHouse) -> Iterator[Place]:
    """Every key of every database with what it holds. What came and went stands in its append-only file and in the tap."""
    path = unquote(urlsplit(house.plan.broker_url).path)
    link = redis.Redis(unix_socket_path=path)
    [number] = link.config_get("databases").values()
    link.close()
    for each in range(int(number)):
        link = redis.Redis(unix_socket_path=path, db=each)
        for key in link.scan_iter():
            yield f"broker {each}, a key's name", key
            yield f"broker {each} {key!r}", b"\n".join(_held(link, key))
        link.close()


def _held(link: Any, key: bytes) -> list[bytes]:
    kind = link.type(key).decode()
    if kind == "none":
        return []  # it is gone already
    if kind == "string":
        return [link.get(key) or b""]
    if kind == "hash":
        return [part for pair in link.hgetall(key).items() for part in pair]
    if kind == "stream":
        return [part for _id, fields in link.xrange(key) for pair in fields.items() for part in pair]
    readers = {
        "list": lambda: link.lrange(key, 0, -1),
        "set": lambda: link.smembers(key),
        "zset": lambda: link.zrange(key, 0, -1),
    }
    return list(readers[kind]())


# -- files and pages -----------------------------------------------------------------------------------------------------


def files(house: CanaryHouse) -> Iterator[Place]:
    """Whatever lies in the state folder: logs, schedules, the broker's append-only file, notes; all but AT_HOME."""
    state = house.folders.state
    for path in sorted(state.rglob("*")):
        relative = path.relative_to(state)
        if relative.parts[0] not in AT_HOME and path.is_file():
            yield f"file {relative}", path.read_bytes()


def mails(house: CanaryHouse) -> Iterator[Place]:
    """What a reader sees: headers and parts, decoded."""
    for path in sorted((house.folders.state / "mail").glob("*")):
        message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        yield f"mail {path.name}, its headers", "\n".join(f"{name}: {value}" for name, value in message.items())
        for part in message.walk():
            if not part.is_multipart():
                yield f"mail {path.name}, decoded", part.get_payload(decode=True) or b""


def rendered(pages: Pages) -> Iterator[Place]:
    """Every answer as a person reads it; none of our secrets looks like a character that HTML escapes."""
    for where, text in pages:
        yield where, html.unescape(text)


# -- processes ---------------------------------------------------------------------------------------------------------


def processes(house: CanaryHouse) -> Iterator[Place]:
    """What our processes and their children were started with, as everybody on the machine could come to see it."""
    for child in house.children.values():
        assert child.process is not None
        for pid in descendants(child.process.pid):
            for what, name in (("environment", "environ"), ("command line", "cmdline")):
                try:
                    text = Path("/proc", str(pid), name).read_bytes()
                except OSError:
                    continue  # it has ended
                if pid == child.process.pid and name == "environ" and b"SPT_NOENV=1" not in text:
                    message = f"{child.name} has written over its environment, so nothing can be found in it"
                    raise AssertionError(message)
                yield f"{what} of {child.name}", text
