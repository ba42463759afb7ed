"""The types of the token machinery: tokens, what a token request is made with, and what it brings."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from connections.spec.errors import CallFailed
from connections.transport.models import RequestLogEntry
from connections.vault.secret import BoundSecret, Secret


@dataclass(frozen=True)
class AccessToken:
    """A token that ends at `ends`, and is to be replaced from `due` on: seconds of this process's steady clock.

    `generation` counts a connection's tokens, so that each can be told from the ones before and after.
    """

    secret: BoundSecret
    kind: str
    generation: int
    issued_at: datetime
    due: float
    ends: float

    @property
    def is_due(self) -> bool:
        return time.monotonic() >= self.due

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self.ends


@dataclass(frozen=True)
class RequestFingerprint:
    """What a token request is made with: our client id, and a digest that changes with any part of it."""

    client_id: str
    digest: str


@dataclass(frozen=True)
class TokenResponse:
    """What a token request brought. `lifetime` counts from before it was sent; `entry` is not yet written.

    `secret` is None where no usable access token came; a refresh token that came with it is worth storing all the same.
    `refusal` is what must be raised once that is stored.
    """

    secret: Secret | None
    refresh: Secret | None
    kind: str
    lifetime: timedelta
    scope: str
    entry: RequestLogEntry = field(repr=False)
    refusal: CallFailed | None = None


@dataclass(frozen=True)
class LoginCode:
    """An authorization code that a login page gave, with what must be sent along to exchange it for tokens."""

    secret: BoundSecret
    verifier: BoundSecret
    redirect_uri: str
