"""What the queue's table tells of whoever should be working it off: one statement, answered within a second or not at all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from connections.jobs.heartbeats import SILENT_SECONDS, HeartbeatKind
from connections.jobs.registry import LANES, QUEUES
from connections.tenancy.single_query import query_within

PATIENCE_SECONDS = 1.0
COUNTED_JOBS = 1000  # due ones are counted so far, and parked ones
LATE_SECONDS = 120.0  # a job that is due for so long has nobody who does it
_SWEEPS_MISSED = 10

# Due jobs by the index `jobs_due`, as a claim finds them.
_ASK = """
SELECT json_build_object(
    'heartbeats', (SELECT coalesce(json_agg(json_build_object('name', name, 'kind', kind, 'queues', queues,
            'count', count, 'age', extract(epoch FROM statement_timestamp() - at)) ORDER BY name), '[]')
        FROM jobs_heartbeat WHERE kind NOT IN ('worker', 'beat') OR at > statement_timestamp() - interval '1 day'),
    'queues', (SELECT json_object_agg(line.queue, json_build_object('due', coalesce(due.jobs, 0),
            'late', coalesce(extract(epoch FROM statement_timestamp() - due.since), 0)))
        FROM unnest(string_to_array($1, ',')) AS line (queue) LEFT JOIN LATERAL (
            SELECT sum(jobs) AS jobs, min(since) AS since FROM unnest(string_to_array($2, ',')::int[]) AS lane
            CROSS JOIN LATERAL (SELECT count(*) AS jobs, min(due_at) AS since FROM (SELECT due_at FROM jobs_job
                WHERE lease_until IS NULL AND ended_at IS NULL AND state || '' = 'queued' AND queue = line.queue
                AND jobs_job.lane = lane.lane AND due_at <= statement_timestamp() ORDER BY due_at LIMIT $3::int) AS job
            ) AS waiting
        ) AS due ON true),
    'dispatched', EXISTS (SELECT 1 FROM jobs_dispatchswitch),
    'parked', (SELECT count(*) FROM (SELECT 1 FROM jobs_job WHERE state = 'parked' LIMIT $3::int) AS parked)
)
"""


@dataclass(frozen=True)
class Sign:
    """A heartbeat, and how many seconds ago it was; of workers and beats, if within a day."""

    name: str
    kind: str
    queues: Sequence[str]
    age_seconds: float
    count: int

    @property
    def is_silent(self) -> bool:
        return self.age_seconds > SILENT_SECONDS


@dataclass(frozen=True)
class Waiting:
    """Jobs of one queue that are due: how many, a thousand of each lane at most, and for how long the oldest."""

    jobs: int
    late_seconds: float


@dataclass(frozen=True)
class VitalSigns:
    """Everything at one instant."""

    signs: Sequence[Sign]
    waiting: dict[str, Waiting]  # by queue
    parked: int  # a thousand at most
    is_dispatched: bool  # False in a copy that nobody has released

    def last(self, kind: HeartbeatKind) -> Sign | None:
        """The newest of a kind, None where there was none."""
        return min((each for each in self.signs if each.kind == kind), key=lambda each: each.age_seconds, default=None)

    def workers(self, queue: str) -> list[Sign]:
        """Those that serve the queue and are not silent."""
        return [
            each
            for each in self.signs
            if each.kind == HeartbeatKind.WORKER and queue in each.queues and not each.is_silent
        ]

    def is_swept(self) -> bool:
        """Whether due jobs are looked for: so beat, broker and the worker for `interactive` reach each other."""
        sweep = self.last(HeartbeatKind.SWEEP)
        allowed = max(SILENT_SECONDS, _SWEEPS_MISSED * settings.JOBS_SWEEP_SECONDS)
        return sweep is not None and sweep.age_seconds <= allowed

    def queues_without_worker(self) -> list[str]:
        return [queue for queue in QUEUES if not self.workers(queue)]

    def late_queues(self) -> list[str]:
        return [queue for queue in QUEUES if self.waiting[queue].late_seconds > LATE_SECONDS]


def read() -> VitalSigns:
    """Raises DatabaseSilent where the database does not answer within a second."""
    [[text]] = query_within(PATIENCE_SECONDS, _ASK, [",".join(QUEUES), ",".join(map(str, LANES)), str(COUNTED_JOBS)])
    return _parsed(json.loads(text or "{}"))


def _parsed(answer: dict[str, Any]) -> VitalSigns:
    signs = [
        Sign(
            each["name"],
            each["kind"],
            tuple(filter(None, each["queues"].split(","))),
            float(each["age"]),
            int(each["count"]),
        )
        for each in answer["heartbeats"]
    ]
    waiting = {queue: Waiting(int(its["due"]), float(its["late"])) for queue, its in answer["queues"].items()}
    return VitalSigns(signs, waiting, int(answer["parked"]), bool(answer["dispatched"]))
