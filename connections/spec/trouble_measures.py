"""What a certification measures of trouble: how it is met, explained and written down. See measures.py.

Each finds one kind of breach and leaves all others to the function that is about them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta

from connections.spec.certification import LoggedRequest, Measured, Traffic
from connections.spec.measures import at_request, of_requests

RETRY_STEPS_SECONDS = (1, 2, 4, 8, 16)
CLOCK_TOLERANCE_SECONDS = 0.05  # an entry's times are whole milliseconds of two readings of a clock
RETRIED_WITHIN = timedelta(days=1)
MAY_BE_REPEATED = (408, 425, 429)  # refusals that ask for another try


def _retries(requests: Iterable[LoggedRequest]) -> Iterator[tuple[LoggedRequest, LoggedRequest]]:
    """Each attempt after the first, with the one that it repeats."""
    last: dict[tuple[str, int], LoggedRequest] = {}
    for request in requests:
        before = last.get((request.operation, request.attempt - 1)) if request.attempt > 1 else None
        if before is not None:
            yield before, request
        last[request.operation, request.attempt] = request


def spaced_retries(traffic: Traffic) -> Measured:
    """Between the end of a failed attempt and the next: 1, 2, 4, 8, 16 seconds at least. The figure is the shortest part
    of what was due, in hundredths: 100 is exactly on time. A new token after a refused one is no such retry.
    """
    counted, shortest, breaches = 0, None, []
    for _connection_row, requests in traffic.by_connection():
        for before, request in _retries(requests):
            if before.status == 401:
                continue
            counted += 1
            due = RETRY_STEPS_SECONDS[min(before.attempt, len(RETRY_STEPS_SECONDS)) - 1]
            waited = (request.at - before.at).total_seconds() - before.duration_ms / 1000
            part = round(100 * waited / due)
            shortest = part if shortest is None else min(shortest, part)
            if waited + CLOCK_TOLERANCE_SECONDS < due:
                breaches.append(at_request(request))
    return Measured(counted, shortest, breaches)


def refusals_not_repeated(traffic: Traffic) -> Measured:
    """What the provider refused is not sent again as it was."""
    counted, breaches = 0, []
    for _connection_row, requests in traffic.by_connection():
        for before, request in _retries(requests):
            counted += 1
            is_refusal = before.status is not None and 400 <= before.status < 500
            if is_refusal and before.status not in (401, *MAY_BE_REPEATED):
                breaches.append(at_request(request))
    return Measured(counted, len(breaches) if counted else None, breaches)


def server_errors_repeated(traffic: Traffic) -> Measured:
    """A read that met a server error is asked again within a day, at once or by the next run."""
    counted, breaches = 0, []
    ends_at = traffic.requests[-1].at if traffic.requests else None
    for _connection_row, requests in traffic.by_connection():
        next_at: dict[str, LoggedRequest] = {}
        for request in reversed(requests):
            following = next_at.get(request.operation)
            next_at[request.operation] = request
            if request.method != "GET" or not request.is_server_error:
                continue
            counted += 1
            limit = request.at + RETRIED_WITHIN
            if (following is None or following.at > limit) and ends_at is not None and ends_at > limit:
                breaches.append(at_request(request))
    return Measured(counted, len(breaches) if counted else None, breaches[::-1])


def errors_explained(traffic: Traffic) -> Measured:
    """Every request that did not succeed has a fault: a sentence for the person, and who must act."""
    failed = (each for each in traffic.requests if each.outcome in ("refused", "troubled", "unreachable", "blocked"))
    return of_requests(failed, lambda request: bool(request.fault))


def complete_log(traffic: Traffic) -> Measured:
    """Every entry has what the provider's desk asks for; whatever was answered has a status."""

    def is_kept(request: LoggedRequest) -> bool:
        is_unanswered = request.outcome in ("unreachable", "blocked", "unreadable")
        return bool(request.operation and request.method and request.path) and (
            request.status is not None or is_unanswered
        )

    return of_requests(traffic.requests, is_kept)


def served_versions(traffic: Traffic) -> Measured:
    """Every call names a version of the API that is served on its day."""

    def is_kept(request: LoggedRequest) -> bool:
        version = traffic.provider.version_named(request.api_version)
        return version is not None and version.is_served(request.at.date())

    return of_requests((each for each in traffic.requests if not each.is_token_request), is_kept)
