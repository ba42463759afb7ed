"""Which handler does which kind of job. Higher floors register theirs; this floor never calls up by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from connections.jobs.lease import Lease


@dataclass(frozen=True)
class Again:
    """The handler hands back before the end: do the same job again, now or at `due_at`."""

    due_at: datetime | None = None
    reason: str = ""


class Parked(Exception):
    """The handler gives up for good; the text (no secret) is shown to staff, who may queue the job again."""


Handler = Callable[["Lease"], Again | None]

# In the order in which due jobs are looked for. Mail has queues of its own: a mail server that accepts and hangs, or
# three hundred mails at once, keep nobody's check waiting. Urgent mail has one more, so that it passes the others by.
QUEUES = ("interactive", "sync", "urgent-mail", "mail")
RETRY_WAITS_SECONDS = (1, 2, 4, 8, 16, 60, 300)


@dataclass(frozen=True)
class Kind:
    """One kind of job. `on_parked` runs in the same transaction that parks the job, so that its room can say so.

    `for_tenant`: each of its jobs is some tenant's. One that names none is not queued, and never reaches the handler.
    `retry_waits_seconds`: how long a job that failed waits before each further try; after the last one it is parked.
    """

    name: str
    queue: str
    handler: Handler
    on_parked: Callable[[Lease], None] | None = None
    retry_waits_seconds: Sequence[float] = RETRY_WAITS_SECONDS
    for_tenant: bool = True


_KINDS: dict[str, Kind] = {}


def register(
    name: str,
    *,
    queue: str,
    handler: Handler,
    on_parked: Callable[[Lease], None] | None = None,
    retry_waits_seconds: Sequence[float] = RETRY_WAITS_SECONDS,
    for_tenant: bool = True,
) -> None:
    """Called once per kind while the apps load. Raises ValueError for a second handler or an unknown queue."""
    if queue not in QUEUES:
        message = f"job kind {name}: no such queue {queue}"
        raise ValueError(message)
    if name in _KINDS and _KINDS[name].handler is not handler:
        message = f"job kind {name} already has a handler"
        raise ValueError(message)
    _KINDS[name] = Kind(name, queue, handler, on_parked, retry_waits_seconds, for_tenant)


def kind_of(name: str) -> Kind | None:
    return _KINDS.get(name)


def kinds() -> Sequence[Kind]:
    """Every kind, by name."""
    return [_KINDS[name] for name in sorted(_KINDS)]
