"""What a certification measures: functions that read traffic (certification.py) and say where a line is not kept.

Each finds one kind of breach and leaves all others to the function that is about them.
"""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from connections.spec.certification import Breach, House, LoggedRequest, Measured, RowKind, Traffic
from connections.spec.paging import AfterId

if TYPE_CHECKING:
    from connections.spec.provider import Provider

Measure = Callable[[Traffic], Measured]

SECRET_LOOKING = re.compile(
    r"[?=]|(?<![A-Za-z])(password|secret|token)(?![A-Za-z])|[A-Za-z0-9_.-]{40,}", re.IGNORECASE
)
FULL_READ_EVERY = timedelta(days=6)  # a list is read as a whole once a week, to see what was deleted
PASSING = ("verified", "inferred", "attested")


def of_requests(requests: Iterable[LoggedRequest], is_kept: Callable[[LoggedRequest], bool]) -> Measured:
    """Of these requests, those that break the line; the figure is how many."""
    counted, breaches = 0, []
    for request in requests:
        counted += 1
        if not is_kept(request):
            breaches.append(at_request(request))
    return Measured(counted, len(breaches) if counted else None, breaches)


def at_request(request: LoggedRequest) -> Breach:
    return Breach(RowKind.REQUEST, str(request.id))


def _connection(connection_id: UUID) -> Breach:
    return Breach(RowKind.CONNECTION, str(connection_id))


# -- how we talk -----------------------------------------------------------------------------------------------------------


def documented_requests(traffic: Traffic) -> Measured:
    """Every call is one of the declared operations, by its method and path."""
    declared = {each.name: (each.method, each.path) for each in traffic.provider.operations}

    def is_kept(request: LoggedRequest) -> bool:
        return declared.get(request.operation) == (request.method, request.path.partition("?")[0])

    return of_requests((each for each in traffic.requests if not each.is_token_request), is_kept)


def readable_answers(traffic: Traffic) -> Measured:
    return of_requests(traffic.requests, lambda request: request.outcome != "unreadable")


def no_secret_in_addresses(traffic: Traffic) -> Measured:
    """No path holds a query or what looks like a secret, and tokens are asked for by POST.

    The log never holds more of an address than its path: what could be in a query is decided where a token is placed, and
    a provider that wants it there declares so.
    """

    def is_kept(request: LoggedRequest) -> bool:
        return not SECRET_LOOKING.search(_words_of(request)) and (
            request.method == "POST" or not request.is_token_request
        )

    return of_requests(traffic.requests, is_kept)


def _words_of(request: LoggedRequest) -> str:
    """A path without the end of a token endpoint, which is called so."""
    return re.sub(r"/(oauth2?|connect)/\w+$", "", request.path) if request.is_token_request else request.path


# -- tokens ----------------------------------------------------------------------------------------------------------------


def calls_per_token(fewest: float, requests_at_least: int = 3) -> Measure:
    """Calls for each token that was given, of every connection that was given at least so many; the worst one's."""

    def measure(traffic: Traffic) -> Measured:
        counted, worst, breaches = 0, None, []
        for connection, requests in traffic.by_connection():
            tokens = sum(1 for each in requests if each.is_token_request and each.is_answered)
            if tokens < requests_at_least:
                continue
            counted += 1
            ratio = round(sum(1 for each in requests if not each.is_token_request) / tokens, 2)
            worst = ratio if worst is None else min(worst, ratio)
            if ratio < fewest:
                breaches.append(_connection(connection.id))
        return Measured(counted, worst, breaches)

    return measure


def tokens_reused(traffic: Traffic) -> Measured:
    """No token is asked for while the one before it lives, unless the provider refused that one.

    A tenth of a token's life, at its end, is for getting the next one.
    """
    counted, breaches = 0, []
    for connection, requests in traffic.by_connection():
        lifetime = getattr(traffic.provider.grant(connection.auth_method), "lifetime", None)
        last: LoggedRequest | None = None
        for request in requests:
            if request.status == 401 or request.operation == "logout":
                last = None
            if not (request.is_token_request and request.is_answered) or lifetime is None:
                continue
            counted += 1
            if last is not None and request.at - last.at < lifetime * 0.9:
                breaches.append(at_request(request))
            last = request
    return Measured(counted, len(breaches) if counted else None, breaches)


def tokens_within_life(traffic: Traffic) -> Measured:
    """No call is made with a token that has ended: the oldest that was used, in seconds."""
    counted, oldest, breaches = 0, None, []
    for connection, requests in traffic.by_connection():
        lifetime = getattr(traffic.provider.grant(connection.auth_method), "lifetime", None)
        for request in requests:
            if request.token_age_seconds is None or lifetime is None:
                continue
            counted += 1
            oldest = max(oldest or 0, request.token_age_seconds)
            if request.token_age_seconds > lifetime.total_seconds():
                breaches.append(at_request(request))
    return Measured(counted, oldest, breaches)


def machine_access(auth_method: str) -> Measure:
    """Whoever connects with another auth method does so for something that has to be confirmed by a person."""

    def measure(traffic: Traffic) -> Measured:
        confirmed = {each.name for each in traffic.provider.operations if each.follow_up is not None}
        counted, breaches = 0, []
        for connection, requests in traffic.live():
            counted += 1
            if connection.auth_method != auth_method and not any(each.operation in confirmed for each in requests):
                breaches.append(_connection(connection.id))
        return Measured(counted, len(breaches) if counted else None, breaches)

    return measure


# -- customers and their checklists ----------------------------------------------------------------------------------------


def checkpoint_passed(slug: str, auth_method: str = "") -> Measure:
    """Of every connection that is live (with this auth method), this checkpoint of our own checklist is done."""

    def measure(traffic: Traffic) -> Measured:
        counted, breaches = 0, []
        for connection, _requests in traffic.live():
            if (auth_method and connection.auth_method != auth_method) or not connection.has_checklist:
                continue
            counted += 1
            if connection.marks.get(slug) not in PASSING:
                breaches.append(_connection(connection.id))
        return Measured(counted, len(breaches) if counted else None, breaches)

    return measure


def guided(traffic: Traffic) -> Measured:
    """Every live connection was walked through a checklist with the provider's own steps."""
    counted, breaches = 0, []
    for connection, _requests in traffic.live():
        counted += 1
        if not connection.has_checklist:
            breaches.append(_connection(connection.id))
    return Measured(counted, len(breaches) if counted else None, breaches)


def departures_guided(traffic: Traffic) -> Measured:
    """Whoever left was told what to remove at the provider, and what became of the access is written down."""
    counted, breaches = 0, []
    for connection in traffic.connections:
        if connection.left_at is None:
            continue
        counted += 1
        if not (connection.has_departure and traffic.provider.after_leaving):
            breaches.append(_connection(connection.id))
    return Measured(counted, len(breaches) if counted else None, breaches)


# -- performance -----------------------------------------------------------------------------------------------------------


def peak_rate(most: int, window: timedelta = timedelta(seconds=1)) -> Measure:
    """The most requests to one company within any window, wherever it begins; token requests among them."""

    def measure(traffic: Traffic) -> Measured:
        recent: deque[LoggedRequest] = deque()
        peak, breaches = 0, []
        for request in traffic.requests:
            recent.append(request)
            while request.at - recent[0].at >= window:
                recent.popleft()
            peak = max(peak, len(recent))
            if len(recent) > most:
                breaches.append(at_request(request))
        return Measured(len(traffic.requests), peak if traffic.requests else None, breaches)

    return measure


@dataclass(frozen=True)
class _PagedList:
    size: int
    lists: int  # of how many a pass consists; each may end with a page that is not full, and one that is empty


def _paged_lists(provider: Provider) -> Mapping[str, _PagedList]:
    """Those that a number of lists known beforehand makes up: not one for each record of another."""
    return {
        stream.name: _PagedList(stream.paging.size, max(len(stream.variants), 1))
        for stream in provider.streams
        if isinstance(stream.paging, AfterId) and stream.each is None
    }


def full_pages(traffic: Traffic) -> Measured:
    """Lists are read in pages as large as the provider allows: the pages that a pass took beyond those that it needs."""
    paged, counted, worst, breaches = _paged_lists(traffic.provider), 0, None, []
    for each in traffic.passes:
        if each.stream not in paged:
            continue
        counted += 1
        own = paged[each.stream]
        beyond = each.pages - math.ceil(each.records / own.size) - 2 * own.lists
        worst = max(worst or 0, beyond)
        if beyond > 0:
            breaches.append(Breach(RowKind.RUN, str(each.run_id)))
    return Measured(counted, worst, breaches)


def pages_by_previous_id(traffic: Traffic) -> Measured:
    """Every list that was read, and has pages, goes on from the last id that was seen."""
    streams = {stream.name: stream for stream in traffic.provider.streams}
    read = {each.stream for each in traffic.passes if each.pages > 1 and each.stream in streams}
    breaches = [
        Breach(RowKind.DECLARATION, name) for name in sorted(read) if not _goes_on_from_id(streams[name].paging)
    ]
    return Measured(len(read), len(breaches) if read else None, breaches)


def _goes_on_from_id(paging: object) -> bool:
    return isinstance(paging, AfterId) or not hasattr(paging, "size")


def batches_used(most_single: int, batches: Mapping[str, str]) -> Measure:
    """Several records are read at once where that is offered: the most that one run, or one hour, read one by one."""

    def measure(traffic: Traffic) -> Measured:
        counted, most, breaches = 0, None, []
        single: dict[tuple[object, ...], int] = {}
        for request in traffic.requests:
            if request.operation not in batches or not request.is_answered:
                continue
            counted += 1
            span = request.run_id or request.at.replace(minute=0, second=0, microsecond=0)
            key = (request.connection_id, span, request.operation)
            single[key] = single.get(key, 0) + 1
            most = max(most or 0, single[key])
            if single[key] > most_single:
                breaches.append(at_request(request))
        return Measured(counted, most, breaches)

    return measure


def changes_only(traffic: Traffic) -> Measured:
    """Where a list can be asked for what has changed, all of it is read once a week at most."""
    asks_changes = {stream.name for stream in traffic.provider.streams if stream.since is not None}
    last: dict[tuple[UUID, str], datetime] = {}
    counted, breaches = 0, []
    for each in traffic.passes:
        if each.stream not in asks_changes:
            continue
        counted += 1
        if not each.is_full:
            continue
        key = (each.connection_id, each.stream)
        if key in last and each.started_at - last[key] < FULL_READ_EVERY:
            breaches.append(Breach(RowKind.RUN, str(each.run_id)))
        last[key] = each.started_at
    return Measured(counted, len(breaches) if counted else None, breaches)


def confirmations_polled(most: int, operation: str) -> Measure:
    """How often we ask what became of a confirmation, for each request that wants one."""

    def measure(traffic: Traffic) -> Measured:
        confirmed = {each.name for each in traffic.provider.operations if each.follow_up is not None}
        counted, worst, breaches = 0, None, []
        for _connection_row, requests in traffic.by_connection():
            allowed = 0
            polls = 0
            for request in requests:
                if request.operation in confirmed:
                    allowed += most
                if request.operation != operation:
                    continue
                counted += 1
                polls += 1
                worst = max(worst or 0, polls - allowed)
                if polls > allowed:
                    breaches.append(at_request(request))
        return Measured(counted, worst, breaches)

    return measure


# -- all customers together ------------------------------------------------------------------------------------------------


def live_customers(fewest: int) -> Callable[[House], Measured]:
    """So many tenants at least whose connections were answered within the span."""

    def measure(house: House) -> Measured:
        lacking = [Breach(RowKind.DECLARATION, "customers")] if house.live_tenants < fewest else []
        return Measured(house.live_tenants, house.live_tenants, lacking)

    return measure


def tested_first(house: House) -> Measured:
    """A company was connected at the test server before the first one in production."""
    if house.first_production_at is None or house.first_production_id is None:
        return Measured()
    is_kept = house.first_tested_at is not None and house.first_tested_at < house.first_production_at
    return Measured(1, int(not is_kept), [] if is_kept else [_connection(house.first_production_id)])


def client_registered(house: House) -> Measured:
    """We have a client of our own there. Whether its name is that of our product, the provider's pages show."""
    return Measured(1, int(not house.client_id), [] if house.client_id else [Breach(RowKind.DECLARATION, "client id")])


def told_where_people_sign_in(*words: str) -> Callable[[House], Measured]:
    """Every checkpoint of ours at which a person is sent to sign in says these words."""

    def measure(house: House) -> Measured:
        sends = [each for each in house.provider.checklist if each.connect]
        silent = [
            Breach(RowKind.DECLARATION, each.slug)
            for each in sends
            if not all(word in " ".join(map(str, (*each.how, *each.avoid))) for word in words)
        ]
        return Measured(len(sends), len(silent) if sends else None, silent)

    return measure
