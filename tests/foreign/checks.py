"""What must be true after every run, judged by the server's own books and by nothing that the engine says of itself."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import connection as database

from connections.jobs.models import Job
from connections.spec.faults import Responsible
from connections.sync import faults
from connections.sync.models import Level, RunLogLine, RunState, StreamProgress, SyncRun
from connections.vault.models import Connection, ConnectionState
from portal.onboarding.models import Evidence, Mark
from tests.foreign.books import Entry, as_json, identity, leaves, parsed, plain, same
from tests.foreign.customer import Customer

# The invariants, and what a violation of each is called.
LACKING, DOUBLED, BROKEN, BLAMED, ENDLESS, SILENT, CRASHED = (
    "green but lacking", "doubled", "left broken", "blamed", "without end", "does not say why", "crashed",
)  # fmt: skip
UNREAD, HELD = "could have been read", "waits too long"
GONE, KEPT = "called gone", "not called gone"
# Who keeps the books can mend a record, or open a list that was closed: that is no blame where this is what is wrong.
OF_THE_BOOKS = {"bad_record": "records-skipped", "closed": "parts-missed"}
MOST_SHOWN = 160  # characters of a body
INVARIANTS = (LACKING, DOUBLED, BROKEN, BLAMED, ENDLESS, SILENT, CRASHED, UNREAD, HELD, GONE, KEPT)


@dataclass(frozen=True)
class Violation:
    invariant: str
    text: str

    def __str__(self) -> str:
        return f"{self.invariant}: {self.text}"


@dataclass(frozen=True)
class Span:
    """From the server's count of events when a run began to the one when it ended."""

    start: int
    end: int


def kept(customer: Customer, stream: str) -> list[tuple[str, dict[str, Any]]]:
    """(external id, body) of what we hold, with every digit."""
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT external_id, body::text FROM sync_record WHERE connection_id = %s AND stream = %s",
            [customer.connection.id, stream],
        )
        return [(key, parsed(body)) for key, body in cursor.fetchall()]


def records(customer: Customer, span: Span, *, is_green: bool) -> Iterator[Violation]:
    """Every record that stood through the span is held as it was served, once, and nothing that never was.

    Of a run that is not green only the latter two.
    """
    server = customer.server
    for stream in map(customer.provider.stream, customer.streams):
        held = _held(customer, stream)
        known = set()
        for prefix, collection, is_shown in server.served(stream.name):
            start = f"{identity(prefix[:-1])}/" if prefix else ""
            known |= {start + identity(each.id) for each in collection.known()}
            standing = [each for each in collection.standing(span.start, span.end) if is_shown(each)]
            if is_green:
                yield from _lacking(stream.name, stream.key, start, standing, held, span, customer)
        if doubled := [key for key, bodies in held.items() if len(bodies) > 1]:
            yield Violation(DOUBLED, f"{stream.name}: {len(doubled)} records are there more than once: {doubled[:3]}")
        if strange := [key for key in held if key not in known]:
            yield Violation(DOUBLED, f"{stream.name}: {len(strange)} that never were: {strange[:3]}")


def deletions(customer: Customer, span: Span, run: SyncRun) -> Iterator[Violation]:
    """What stood through the span is not called gone; what went before it is, by a green run that read everything and had no
    doubt about it.
    """
    doubts = RunLogLine.objects.filter(run=run, code__in=("gone-suspected", "gone-unsettled"))
    doubtful = {values["stream"] for values in doubts.values_list("values", flat=True)}
    whole = StreamProgress.objects.filter(run=run, since="", state="done").values_list("stream", flat=True)
    for stream in map(customer.provider.stream, customer.streams):
        marks = _gone(customer, stream)
        is_sure = run.state == RunState.SUCCEEDED and stream.name in set(whole) - doubtful and stream.each is None
        for prefix, collection, is_shown in customer.server.served(stream.name):
            start = f"{identity(prefix[:-1])}/" if prefix else ""
            standing = [each for each in collection.standing(span.start, span.end) if is_shown(each)]
            if false := [each.id for each in standing if marks.get(start + identity(each.id))]:
                yield Violation(GONE, f"{stream.name}: {len(false)} of {len(standing)} that stood: {false[:3]}")
            left = [each for each in collection.past if each.gone is not None and each.gone <= span.start]
            missed = [each.id for each in left if marks.get(start + identity(each.id)) is False]
            if is_sure and missed:
                yield Violation(KEPT, f"{stream.name}: {len(missed)} of {len(left)}: {missed[:3]}")


def _gone(customer: Customer, stream: Any) -> dict[str, bool]:
    """Whether each record that we hold is called gone."""
    is_prefixed = stream.each is not None and stream.each.prefixed
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT external_id, gone_at IS NOT NULL FROM sync_record WHERE connection_id = %s AND stream = %s",
            [customer.connection.id, stream.name],
        )
        rows = [(key.partition("/") if is_prefixed else ("", "", key), is_gone) for key, is_gone in cursor.fetchall()]
    return {f"{identity(prefix)}{slash}{identity(own)}": is_gone for (prefix, slash, own), is_gone in rows}


def rest(customer: Customer, span: Span) -> Iterator[Violation]:
    """Where a part of a list cannot be read, the rest of it is held all the same."""
    for stream in map(customer.provider.stream, customer.streams):
        held = _held(customer, stream)
        for prefix, collection, is_shown in customer.server.served(stream.name):
            start = f"{identity(prefix[:-1])}/" if prefix else ""
            standing = [each for each in collection.standing(span.start, span.end) if is_shown(each)]
            good = [each for each in standing if "bad" not in each.marks]
            if lacking := [each.id for each in good if not held.get(start + identity(each.id))]:
                yield Violation(UNREAD, f"{stream.name}: {len(lacking)} of {len(good)} beside what is bad or closed")


def _held(customer: Customer, stream: Any) -> dict[str, list[dict[str, Any]]]:
    held: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for key, body in kept(customer, stream.name):
        is_prefixed = stream.each is not None and stream.each.prefixed
        prefix, slash, own = key.partition("/") if is_prefixed else ("", "", key)
        held[f"{identity(prefix)}{slash}{identity(own)}"].append(body)
    return held


def _lacking(
    stream: str,
    key: str,
    start: str,
    standing: list[Entry],
    held: dict[str, list[dict[str, Any]]],
    span: Span,
    customer: Customer,
) -> Iterator[Violation]:
    if bad := [each for each in standing if "bad" in each.marks]:
        yield Violation(LACKING, f"{stream}: {len(bad)} records without an id, and not a word")
    good = [each for each in standing if "bad" not in each.marks]
    gone = [each.id for each in good if not held.get(start + identity(each.id))]
    if gone:
        yield Violation(LACKING, f"{stream}: {len(gone)} of {len(good)} are not held: {gone[:3]}")
    for each in good:
        for body in held.get(start + identity(each.id), [])[:1]:
            if not _as_served(body, each, key, span, customer):
                text = f"{stream}: {each.id} is held as {str(body)[:MOST_SHOWN]}, served as {as_json(each.fields)[:MOST_SHOWN]}"
                yield Violation(LACKING, text)
                return


def _as_served(body: dict[str, Any], entry: Entry, key: str, span: Span, customer: Customer) -> bool:
    bare = {name: value for name, value in body.items() if name != key}
    for fields in entry.within(span.start, span.end):
        if customer.server.auth_method == "xml":
            texts = {"True": "true", "False": "false"}
            if leaves(bare) == sorted(texts.get(each, each) for each in leaves(fields)):
                return True
            continue
        if customer.server.slug == "pentamic" and "taxCode" in fields:
            fields = {**fields, "taxCode": str(fields["taxCode"])}  # its digits are kept as text
        if same(bare, plain(parsed(as_json(fields)))):
            return True
    return False


def blame(customer: Customer, run: SyncRun) -> Iterator[Violation]:
    """Nobody's key and no customer is at fault for a server's trouble: on the run, its streams, checkpoints, connection."""
    of_the_books = [code for name, code in OF_THE_BOOKS.items() if getattr(customer.server.options, name)]
    found = {"run": [run.fault], "connection": list(_of(Connection, "fault", id=customer.connection.id))}
    found["stream"] = list(_of(StreamProgress, "fault", run=run))
    failing = Mark.objects.filter(onboarding=customer.onboarding, state="failing")
    found["checkpoint"] = [
        code
        for mark in failing
        for code in Evidence.objects.filter(mark=mark).order_by("-at").values_list("code", flat=True)[:1]
    ]
    for place, codes in found.items():
        for code in {each for each in codes if each}:
            fault = faults.resolve_fault(provider=customer.server.slug, code=code)
            if fault is not None and fault.responsible is Responsible.CUSTOMER and code not in of_the_books:
                yield Violation(BLAMED, f"the {place} says {code}")


def _of(model: Any, field: str, **where: Any) -> Any:
    return model.objects.filter(**where).values_list(field, flat=True)


def words(customer: Customer, run: SyncRun) -> Iterator[Violation]:
    """A run that is not green says why: a fault that has a name, and a line of its log."""
    if run.state == RunState.SUCCEEDED:
        return
    if not run.fault or faults.resolve_fault(provider=customer.server.slug, code=run.fault) is None:
        yield Violation(SILENT, f"a run that is {run.state} has the fault {run.fault!r}")
    lines = RunLogLine.objects.filter(run=run).exclude(level=Level.INFO)
    if not any(line.values for line in lines):
        yield Violation(SILENT, f"no line of the log of a run that is {run.state} ({run.fault}) says what is missing")


def crashes() -> Iterator[Violation]:
    for job in Job.objects.exclude(failures=0, state__in=("queued", "succeeded", "running", "cancelled")):
        yield Violation(CRASHED, f"{job.kind} is {job.state}, {job.failures} failures: {job.reason}")


def health(customer: Customer, run: SyncRun) -> Iterator[Violation]:
    """After the server has been well for a while."""
    connection = Connection.objects.get(id=customer.connection.id)
    if connection.state != ConnectionState.CONNECTED or connection.fault:
        yield Violation(BROKEN, f"the connection is {connection.state} ({connection.fault})")
    if run.state != RunState.SUCCEEDED:
        streams = Counter(StreamProgress.objects.filter(run=run).exclude(fault="").values_list("stream", "fault"))
        yield Violation(BROKEN, f"the run is {run.state} ({run.fault}): {', '.join(map(str, streams))}")
    failing = Mark.objects.filter(onboarding=customer.onboarding, state="failing").values_list("checkpoint", flat=True)
    if failing:
        yield Violation(BROKEN, f"checkpoints are failing: {', '.join(failing)}")
