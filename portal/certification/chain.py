"""The chain of evidence: rows that may never change are hashed, each link with the one before it, and verified from the start.

Every tenant has a chain, and the house has one that also holds the heads of all others. Only the owner of the tables writes
links: no process that serves anybody can. What retention deletes leaves its hash behind, and a link that says so.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import UUID

from django.db import connection, models, transaction
from django.db.models import Max
from django.utils import timezone as django_timezone

from connections.tenancy.models import AuditEvent, SystemAuditEvent
from portal.certification.models import HOUSE, CertificationReport, ChainLink
from portal.onboarding.models import Evidence

HEAD, RETENTION, CHECK = "head", "retention", "check"  # links that are about the chain itself
SHORTEST_KEPT = timedelta(days=2 * 365)  # no retention deletes what is younger
SETTLES_AFTER = timedelta(hours=1)  # a row's time is that of its statement, and it is seen when its transaction ends
LINKS_AT_ONCE = 1000
ROOT = "0" * 64  # what the first link of a chain goes on from


@dataclass(frozen=True)
class Trail:
    """A table whose rows are linked. `columns` are hashed; `at` orders them; `where` says which rows are there to stay."""

    name: str
    model: type[models.Model]
    at: str
    columns: Sequence[str]
    where: str = "true"

    @property
    def table(self) -> str:
        return self.model._meta.db_table

    @property
    def chain(self) -> str:
        """SQL for the chain of a row."""
        own = any(field.name == "tenant" for field in self.model._meta.concrete_fields)
        return "t.tenant_id" if own else f"'{HOUSE}'::uuid"

    @property
    def digest(self) -> str:
        """SQL for the SHA-256 of a row, the same whatever the session's time zone."""
        times = {field.column for field in self.model._meta.concrete_fields if isinstance(field, models.DateTimeField)}
        parts = [f"extract(epoch FROM t.{each})::text" if each in times else f"t.{each}" for each in self.columns]
        return f"encode(sha256(convert_to(jsonb_build_array({', '.join(parts)})::text, 'UTF8')), 'hex')"


_EVENT = ("id", "action", "actor_id", "actor_name", "subject", "details", "happened_at")
TRAILS = (
    Trail("audit", AuditEvent, "happened_at", (*_EVENT, "tenant_id")),
    Trail("system", SystemAuditEvent, "happened_at", _EVENT),
    Trail(
        "evidence", Evidence, "at",
        ("id", "tenant_id", "mark_id", "state", "code", "values", "actor_name", "entry_id", "provider_request_id", "at"),
    ),
    Trail(
        "report", CertificationReport, "computed_at",
        ("id", "provider", "environment", "first_day", "last_day", "asked_by", "asked_at", "content", "digest",
         "computed_at"),
        "t.state = 'computed'",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class ChainBreak:
    """Something that is not as it was linked: what, and the row or link where it was seen."""

    words: str
    chain: UUID
    position: int
    trail: str
    row_id: UUID

    def __str__(self) -> str:
        owner = "the house" if self.chain == HOUSE else f"tenant {self.chain}"
        where = f"link {self.position} of {owner}" if self.position else f"the chain of {owner}"
        return f"{self.words}: {self.trail} {self.row_id} ({where})"


# -- linking ---------------------------------------------------------------------------------------------------------------


def link_new_rows() -> int:
    """Link every row that is not linked yet; returns how many there were. As the owner of the tables."""
    with transaction.atomic():
        _lock_out_others()
        writer = _LinkWriter()
        for trail in TRAILS:
            for chain, row_id, row_at, row_hash in list(_unlinked(trail)):
                writer.add(chain, trail.name, row_id, row_at, row_hash)
        linked = writer.count
        now = django_timezone.now()
        for chain, (position, head) in sorted(writer.heads.items()):
            if chain != HOUSE:
                key = uuid.uuid5(chain, str(position))
                writer.add(HOUSE, HEAD, key, now, head, f"{chain}:{position}")
        writer.flush()
    return linked


def note_retention(trail: str, before: datetime) -> None:
    """Say in the house's chain that rows older than this are deleted. In the transaction that deletes them."""
    _add_own(RETENTION, f"{trail} {before.isoformat()}")


def note_check(findings: Sequence[ChainBreak]) -> None:
    """Say in the house's chain that all of it was verified, and how many findings there were."""
    with transaction.atomic():
        _add_own(CHECK, str(len(findings)))


def _add_own(trail: str, note: str) -> None:
    _lock_out_others()
    writer = _LinkWriter()
    writer.add(HOUSE, trail, uuid.uuid4(), django_timezone.now(), hashlib.sha256(note.encode()).hexdigest(), note)
    writer.flush()


def _lock_out_others() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('chain of evidence'))")


def _unlinked(trail: Trail) -> Iterator[tuple[Any, ...]]:
    """(chain, id, time, hash) of its rows without a link, the oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {trail.chain}, t.id, t.{trail.at}, {trail.digest} FROM {trail.table} t WHERE {trail.where}"  # noqa: S608  # nosec B608
            f" AND NOT EXISTS (SELECT 1 FROM {ChainLink._meta.db_table} l WHERE l.trail = %s AND l.row_id = t.id)"
            f" ORDER BY t.{trail.at}, t.id",
            [trail.name],
        )
        yield from cursor.fetchall()


class _LinkWriter:
    """Appends links to the ends of chains."""

    def __init__(self) -> None:
        self.heads: dict[UUID, tuple[int, str]] = {}
        self.count = 0
        self._links: list[ChainLink] = []

    def add(self, chain: UUID, trail: str, row_id: UUID, row_at: datetime, row_hash: str, note: str = "") -> None:
        position, previous = self.heads.get(chain) or _head(chain)
        link = ChainLink(
            chain=chain, position=position + 1, trail=trail, row_id=row_id, row_at=row_at, row_hash=row_hash, note=note
        )
        link.hash = hash_of(link, previous)
        self.heads[chain] = (link.position, link.hash)
        self._links.append(link)
        self.count += 1

    def flush(self) -> None:
        ChainLink.objects.bulk_create(self._links, batch_size=LINKS_AT_ONCE)
        self._links.clear()


def _head(chain: UUID) -> tuple[int, str]:
    newest = ChainLink.objects.filter(chain=chain).order_by("-position").values_list("position", "hash").first()
    return newest or (0, ROOT)


def hash_of(link: ChainLink, previous: str) -> str:
    """The SHA-256 of a link that follows one with the hash `previous`."""
    row_at = link.row_at.astimezone(timezone.utc).isoformat()
    parts = (previous, str(link.position), link.trail, str(link.row_id), row_at, link.row_hash, link.note)
    return hashlib.sha256("|".join(parts).encode()).hexdigest()


# -- verifying -------------------------------------------------------------------------------------------------------------


def verify() -> list[ChainBreak]:
    """Everything that is not as it was linked. As the owner of the tables; reads all that is linked."""
    findings = [*_broken_links(), *_forgotten_heads()]
    kept_since = _retention()
    for trail in TRAILS:
        findings += _changed_rows(trail, kept_since.get(trail.name))
        findings += _late_rows(trail)
    return findings


def _broken_links() -> Iterator[ChainBreak]:
    """Links that do not follow from the one before them."""
    chain, position, previous = None, 0, ROOT
    for link in ChainLink.objects.order_by("chain", "position").iterator(chunk_size=LINKS_AT_ONCE):
        if link.chain != chain:
            chain, position, previous = link.chain, 0, ROOT
        if link.position != position + 1:
            yield _at(link, "links before it are missing")
        elif link.hash != hash_of(link, previous) or (link.trail in (RETENTION, CHECK) and not _fits_note(link)):
            yield _at(link, "the link was changed")
        position, previous = link.position, link.hash


def _forgotten_heads() -> Iterator[ChainBreak]:
    """Heads of tenants' chains that the house knows, and the tenants do not have. Compared as text: a note may be anything."""
    table = ChainLink._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT position, row_id, note FROM {table} h WHERE trail = %s AND NOT EXISTS (SELECT 1 FROM {table} l"  # noqa: S608  # nosec B608
            " WHERE l.hash = h.row_hash AND l.chain || ':' || l.position = h.note) ORDER BY position",
            [HEAD],
        )
        rows = cursor.fetchall()
    for position, row_id, note in rows:
        yield ChainBreak(f"a chain has lost the head {note}", HOUSE, position, HEAD, row_id)


def _retention() -> dict[str, datetime]:
    """By trail: before when rows were deleted, by links that delete nothing too young."""
    cutoffs: dict[str, datetime] = {}
    for link in ChainLink.objects.filter(chain=HOUSE, trail=RETENTION):
        name, _blank, before = link.note.partition(" ")
        try:
            cutoff = datetime.fromisoformat(before)
        except ValueError:  # somebody changed the link, which is a finding of its own
            continue
        if cutoff <= link.row_at - SHORTEST_KEPT + SETTLES_AFTER:
            cutoffs[name] = max(cutoff, cutoffs.get(name, cutoff))
    return cutoffs


def _changed_rows(trail: Trail, kept_since: datetime | None) -> Iterator[ChainBreak]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT l.chain, l.position, l.row_id, t.id IS NULL FROM {ChainLink._meta.db_table} l"  # noqa: S608  # nosec B608
            f" LEFT JOIN {trail.table} t ON t.id = l.row_id WHERE l.trail = %s"
            f" AND (t.id IS NULL AND (%s::timestamptz IS NULL OR l.row_at >= %s)"
            f" OR t.id IS NOT NULL AND ({trail.digest} <> l.row_hash OR {trail.chain} <> l.chain))"
            " ORDER BY l.chain, l.position",
            [trail.name, kept_since, kept_since],
        )
        rows = cursor.fetchall()
    for chain, position, row_id, is_missing in rows:
        words = "the row is missing" if is_missing else "the row was changed"
        yield ChainBreak(words, chain, position, trail.name, row_id)


def _late_rows(trail: Trail) -> Iterator[ChainBreak]:
    """Rows that say that they are older than the last linking, and were not there when it came by."""
    last = ChainLink.objects.aggregate(at=Max("linked_at"))["at"]
    if last is None:
        return
    for chain, row_id, row_at, _row_hash in _unlinked(trail):
        if row_at < last - SETTLES_AFTER:
            yield ChainBreak("the row was added afterwards", chain, 0, trail.name, row_id)


def _fits_note(link: ChainLink) -> bool:
    return link.row_hash == hashlib.sha256(link.note.encode()).hexdigest()


def _at(link: ChainLink, words: str) -> ChainBreak:
    return ChainBreak(words, link.chain, link.position, link.trail, link.row_id)
