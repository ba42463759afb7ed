"""Errors named by what to do next. Their text never holds a body, a URL or a secret."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import Enum
from uuid import UUID

from connections.spec.faults import Fault


class RefusedPart(Enum):
    """What a token request was refused for."""

    CLIENT = "client"  # the client id or its secret
    GRANT = "grant"  # the refresh token, or the code
    GRANT_PERHAPS = "grant-perhaps"  # the same, in the provider's own words instead of the protocol's


class CallFailed(Exception):
    """A call to a provider did not give what was asked for.

    `fault`: the entry of the catalogue; `entry_id`: our request log entry, if anything was sent; `fields`: what was said
    of single fields of a body, as (dotted path, code or short text), which may quote what was sent and is never logged.
    """

    fields: Sequence[tuple[str, str]] = ()
    operation: str = ""  # the one that was sent, by its name
    may_have_arrived = False  # the request may have been carried out although we know of no answer
    refused_part: RefusedPart | None = None
    has_provider_reason: bool = (
        False  # the provider says so in a word of its own; else nothing but the status speaks for it
    )
    is_page: bool = False  # a page for people came instead: whoever answered may be a machine on the way
    # Nothing was sent: the very same credential was refused just now, and is asked with again from then on.
    asked_again_at: datetime | None = None

    def __init__(self, fault: Fault, *, entry_id: UUID | None = None, provider_request_id: str = "") -> None:
        super().__init__(f"{type(self).__name__}: {fault.code}")
        self.fault = fault
        self.entry_id = entry_id
        self.provider_request_id = provider_request_id


class Unauthorized(CallFailed):
    """The credentials or the token are refused: a person must reconnect."""


class Forbidden(CallFailed):
    """We are known but may not: a right is missing."""


class Rejected(CallFailed):
    """The request itself is refused; sending it again changes nothing."""


class Unreadable(CallFailed):
    """An answer that is not what the provider's document promises."""


class Blocked(CallFailed):
    """We refused to send to this address ourselves: the guarded session (connections/transport/http) may not go there."""


class Unavailable(CallFailed):
    """Trouble that passes: no answer, or a server error after all retries. `retry_at`: not before."""

    def __init__(
        self, fault: Fault, *, retry_at: datetime, entry_id: UUID | None = None, provider_request_id: str = ""
    ) -> None:
        super().__init__(fault, entry_id=entry_id, provider_request_id=provider_request_id)
        self.retry_at = retry_at


class QuotaExhausted(Unavailable):
    """The allowance is used up until `retry_at`."""


class OutcomeUnknown(CallFailed):
    """A write was sent and its answer was lost: look whether it happened before anything is sent again."""
