"""Which handler does which kind of job. Packages register theirs when the apps load; nothing here imports them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, overload

from connections.jobs.lease import Lease, TenantLease


@dataclass(frozen=True)
class Again:
    """The handler hands back before the end: do the same job again, now or at `due_at`."""

    due_at: datetime | None = None
    reason: str = ""


class Parked(Exception):
    """The handler gives up for good; the text (no secret) is shown to staff, who may queue the job again."""


Handler = Callable[[Lease], Again | None]
TenantHandler = Callable[[TenantLease], Again | None]

# In the order in which due jobs are looked for. Mail has queues of its own: a mail server that accepts and hangs, or
# three hundred mails at once, keep nobody's check waiting. Urgent mail has one more, so that it passes the others by. Exports
# have one because each lasts for minutes.
QUEUES = ("interactive", "sync", "urgent-mail", "mail", "exports")
LANES = (0, 1, 2)  # within each queue, by how many jobs their tenant asked for at once (services.BURST_OF_LANE)
RETRY_WAITS_SECONDS = (1, 2, 4, 8, 16, 60, 300)


@dataclass(frozen=True)
class Kind:
    """One kind of job, as `register` describes it."""

    name: str
    queue: str
    handler: Callable[[Any], Again | None]
    on_parked: Callable[[Any], None] | None = None
    retry_waits_seconds: Sequence[float] = RETRY_WAITS_SECONDS
    tenant_required: bool = True

    def accepts(self, lease: Lease) -> bool:
        """Whether the handler may be given this lease: of a tenant's job, where it needs to know the tenant."""
        return isinstance(lease, TenantLease) or not self.tenant_required


_KINDS: dict[str, Kind] = {}


@overload
def register(
    name: str,
    *,
    queue: str,
    handler: TenantHandler,
    on_parked: Callable[[TenantLease], None] | None = None,
    retry_waits_seconds: Sequence[float] = RETRY_WAITS_SECONDS,
    tenant_required: Literal[True] = True,
) -> None: ...


@overload
def register(
    name: str,
    *,
    queue: str,
    handler: Handler,
    on_parked: Callable[[Lease], None] | None = None,
    retry_waits_seconds: Sequence[float] = RETRY_WAITS_SECONDS,
    tenant_required: Literal[False],
) -> None: ...


def register(
    name: str,
    *,
    queue: str,
    handler: Callable[[Any], Again | None],
    on_parked: Callable[[Any], None] | None = None,
    retry_waits_seconds: Sequence[float] = RETRY_WAITS_SECONDS,
    tenant_required: bool = True,
) -> None:
    """Say which handler does this kind of job; called once per kind while the apps load.

    `tenant_required`: each of its jobs is some tenant's, so that the handler is given a TenantLease. A job that names no
    tenant is not queued, and never reaches the handler.
    `on_parked` runs when the job is given up, in the same transaction and, where a tenant is required, in its scope: it
    writes down for people that nobody works on it any more.
    `retry_waits_seconds`: how long a job that failed waits before each further try; after the last one it is parked.

    Raises ValueError for a second handler or an unknown queue.
    """
    if queue not in QUEUES:
        message = f"job kind {name}: no such queue {queue}"
        raise ValueError(message)
    if name in _KINDS and _KINDS[name].handler is not handler:
        message = f"job kind {name} already has a handler"
        raise ValueError(message)
    _KINDS[name] = Kind(name, queue, handler, on_parked, retry_waits_seconds, tenant_required)


def kind_of(name: str) -> Kind | None:
    """What was registered under this name, None for nothing."""
    return _KINDS.get(name)


def kinds() -> Sequence[Kind]:
    """Every kind, by name."""
    return [_KINDS[name] for name in sorted(_KINDS)]
