"""Where a run's time goes, in milliseconds that add up to all of it from when it was asked for, and how long it may yet take.

A turn at the run measures itself and is added when it ends. What lies between two turns belongs to what the run waited for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection as database
from django.db.models import Q
from django.db.models.functions import Now

from connections.sync.models import ACTIVE, ProgressState, RunState, StreamProgress, SyncRun
from connections.transport import faults as transport_faults
from connections.transport.stopwatch import BREAKER, DATABASE, LIMITER, PROVIDER, Stopwatch, running

QUEUE, PAUSED, OWN = "queue", "paused", "own"
SHARES = (QUEUE, LIMITER, BREAKER, PROVIDER, DATABASE, OWN, PAUSED)

# Of a run that has not ended: since its last turn began or ended, or since it should have gone on.
STUCK_AFTER = timedelta(minutes=15)
LONG_WAIT = timedelta(hours=24)
FEWEST_SECONDS, FEWEST_RECORDS = 5.0, 100  # from which an estimate is worth anything

_WAITS = {transport_faults.QUOTA.code: LIMITER, transport_faults.TROUBLE.code: BREAKER}


@dataclass(frozen=True)
class Share:
    """A part of a run's time. `percent` is of all of it; those of a run add up to 100."""

    name: str
    milliseconds: int
    percent: int


def take_up(run: SyncRun) -> None:
    """A turn begins: the time since the last one is added to what the run waited for. In the caller's transaction and scope.

    `run` is as it was before this turn.
    """
    now = SyncRun.objects.filter(id=run.id).values_list(Now(), flat=True).get()
    since = max(run.accounted_at or run.queued_at, run.queued_at)
    shares = _readable(run.time_shares)
    if run.state == RunState.WAITING and run.waiting_until is not None:
        until = min(max(run.waiting_until, since), now)
        _add(shares, _WAITS.get(run.fault, PROVIDER), until - since)
        since = until
    was_paused = run.state == RunState.QUEUED and run.started_at is not None
    _add(shares, PAUSED if was_paused else QUEUE, now - since)
    run.time_shares, run.accounted_at = shares, now
    SyncRun.objects.filter(id=run.id).update(time_shares=shares, accounted_at=now)


@contextmanager
def measured(stopwatch: Stopwatch) -> Iterator[None]:
    """Measure a turn, its statements among it."""
    with running(stopwatch), database.execute_wrapper(stopwatch.statement):
        yield


def settle(run: SyncRun, stopwatch: Stopwatch) -> None:
    """A turn ends: what it measured is added, and what is left of its time is our own work. In the caller's transaction."""
    row = SyncRun.objects.filter(id=run.id).values("ended_at", now=Now()).get()
    until = min(row["ended_at"] or row["now"], row["now"])
    if run.accounted_at is None or until <= run.accounted_at:
        return
    left = (until - run.accounted_at) / timedelta(seconds=1)
    shares = _readable(run.time_shares)
    for name, seconds in stopwatch.seconds.items():
        part = min(seconds, left)
        _add(shares, name, timedelta(seconds=part))
        left -= part
    _add(shares, OWN, timedelta(seconds=left))
    stopwatch.seconds.clear()
    run.time_shares, run.accounted_at = shares, until
    SyncRun.objects.filter(id=run.id).update(time_shares=shares, accounted_at=until)


def shares_of(run: SyncRun) -> list[Share]:
    """The parts of a run's time so far, the largest first; those that took none are left out."""
    shares = _readable(run.time_shares)
    parts = [(name, round(shares.get(name, 0))) for name in SHARES]
    parts = sorted((part for part in parts if part[1] > 0), key=lambda part: -part[1])
    whole = sum(milliseconds for _, milliseconds in parts)
    percents = [milliseconds * 100 // whole for _, milliseconds in parts]
    # What rounding leaves goes to those that lost most by it.
    lost = sorted(range(len(parts)), key=lambda place: -(parts[place][1] * 100 % whole))
    for place in lost[: 100 - sum(percents)] if parts else []:
        percents[place] += 1
    return [Share(name, milliseconds, percents[place]) for place, (name, milliseconds) in enumerate(parts)]


def time_left(run: SyncRun, streams: Sequence[StreamProgress], now: datetime) -> timedelta | None:
    """An estimate of how long it yet takes, from how fast it was so far. None where nobody can know.

    That is where a stream that is still to be read does not tell how much it holds, where the run waits, and before
    enough was read.
    """
    open_streams = [each for each in streams if each.state in (ProgressState.PENDING, ProgressState.READING)]
    if run.state != RunState.RUNNING or run.started_at is None or not open_streams:
        return None
    if any(each.expected is None or each.seen > each.expected for each in open_streams):
        return None
    seen, left = sum(each.seen for each in streams), sum((each.expected or 0) - each.seen for each in open_streams)
    not_read = timedelta(milliseconds=sum(_readable(run.time_shares).get(name, 0) for name in (QUEUE, PAUSED)))
    seconds = (now - run.queued_at - not_read) / timedelta(seconds=1)
    if seen < FEWEST_RECORDS or seconds < FEWEST_SECONDS:
        return None
    return timedelta(seconds=left * seconds / seen)


def is_stuck(run: SyncRun, now: datetime) -> bool:
    """Whether a run that should go on by itself does not, or waits so long that somebody has to hear of it."""
    if not run.is_active:
        return False
    if run.state == RunState.WAITING and run.waiting_until is not None:
        return run.waiting_until + STUCK_AFTER < now or run.waiting_until - now > LONG_WAIT
    return (run.accounted_at or run.queued_at) + STUCK_AFTER < now


def stuck_runs(now: datetime) -> Q:
    """The same, for a query of runs."""
    is_waiting = Q(state=RunState.WAITING, waiting_until__isnull=False)
    overdue = Q(waiting_until__lt=now - STUCK_AFTER) | Q(waiting_until__gt=now + LONG_WAIT)
    untouched = Q(accounted_at__lt=now - STUCK_AFTER) | Q(accounted_at=None, queued_at__lt=now - STUCK_AFTER)
    return Q(state__in=ACTIVE) & ((is_waiting & overdue) | (~is_waiting & untouched))


def _add(shares: dict[str, float], name: str, time: timedelta) -> None:
    shares[name] = shares.get(name, 0) + max(time / timedelta(milliseconds=1), 0.0)


def _readable(shares: object) -> dict[str, float]:
    """The shares, or none where something else stands there: whoever lays out a run may write more than it needs."""
    is_known = isinstance(shares, dict) and all(
        name in SHARES and isinstance(value, int | float) and 0 <= value < 1e15 for name, value in shares.items()
    )
    return dict(shares) if is_known and isinstance(shares, dict) else {}
