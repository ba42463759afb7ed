"""A provider whose refresh tokens work once: one used twice ends its whole family, as RFC 9700 4.14 asks.

Over real TLS. It may answer slowly, hang up before it decides, or hang up after it has decided.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from tests.transport.hostile import HostileServer, Line


class Cut(StrEnum):
    """What becomes of one answer of the token endpoint."""

    NO = "answered"
    BEFORE = "cut before it was decided"
    AFTER = "cut after it was decided"
    HALFWAY = "cut in the middle"

    @property
    def is_lost(self) -> bool:
        return self in (Cut.AFTER, Cut.HALFWAY)


@dataclass(frozen=True)
class Asked:
    """One token request as the provider saw it."""

    kind: str
    is_granted: bool
    cut: Cut
    used: str  # the refresh token or code that was presented
    given: str  # the refresh token that was given for it


class RotatingProvider:
    """`plan` says what becomes of the next refresh: seconds before it is answered, and whether it is cut.

    `on_rotated` is called when a pair has been given and its answer has not left yet.
    """

    def __init__(self, folder: Path) -> None:
        self.server = HostileServer(folder)
        self.server.behave = self._behave
        self.plan: Callable[[], tuple[float, Cut]] = lambda: (0.0, Cut.NO)
        self.on_rotated: Callable[[], None] = lambda: None
        self.client = {"client_id": "drill-client", "client_secret": secrets.token_urlsafe(24)}
        self._lock = threading.Lock()
        self._code = self._refresh = ""
        self._access: set[str] = set()
        self._asked: list[Asked] = []
        self._busy = 0

    def new_code(self) -> str:
        """What a person's consent gives; trading it ends whatever was given before."""
        self._code = secrets.token_urlsafe(24)
        return self._code

    def end_sessions(self) -> None:
        """No access token given so far is good any more; the refresh token is."""
        with self._lock:
            self._access.clear()

    @property
    def asked_so_far(self) -> int:
        """Token requests that were decided since `take_asked`."""
        with self._lock:
            return len(self._asked)

    def take_asked(self) -> list[Asked]:
        """The token requests since the last time."""
        with self._lock:
            asked, self._asked = self._asked, []
            self.server.asked.clear()
        return asked

    def rest(self) -> None:
        """Returns when no token request is being worked on."""
        while self._busy:
            time.sleep(0.005)

    # -- answers ---------------------------------------------------------------------------------------------------

    def _behave(self, line: Line) -> None:
        with suppress(OSError):  # who asked may have been killed
            if line.asked != "POST /v2/auth/access-tokens":
                self._call(line)
                return
            with self._working():
                self._token(line)

    @contextmanager
    def _working(self) -> Iterator[None]:
        with self._lock:
            self._busy += 1
        try:
            yield
        finally:
            with self._lock:
                self._busy -= 1

    def _call(self, line: Line) -> None:
        token = line.head.partition(b"Authorization: Bearer ")[2].partition(b"\r\n")[0].decode()
        with self._lock:
            is_good = token in self._access
        line.answer(200 if is_good else 401, {"id": 1} if is_good else {"code": 1003, "message": "token"})

    def _token(self, line: Line) -> None:
        told = json.loads(line.body)
        pause, cut = self.plan() if told["grant_type"] == "refresh_token" else (0.0, Cut.NO)
        time.sleep(pause / 2)
        status, body, asked = self._decided(told, cut)
        with self._lock:
            self._asked.append(asked)
        if asked.is_granted:
            self.on_rotated()
        time.sleep(pause / 2)
        if cut is Cut.NO:
            line.answer(status, body)
            return
        if cut is Cut.HALFWAY:
            payload = json.dumps(body).encode()
            line.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (status, len(payload)) + payload[:40])
        line.hang_up()

    def _decided(self, told: dict[str, Any], cut: Cut) -> tuple[int, dict[str, Any], Asked]:
        kind = told["grant_type"]
        used = told.get("refresh_token") or told.get("code", "")
        if cut is Cut.BEFORE:
            return 500, {}, Asked(kind, False, cut, used, "")
        if {name: told.get(name) for name in self.client} != self.client:
            return 401, {"error": "invalid_client"}, Asked(kind, False, cut, used, "")
        with self._lock:
            if not used or used != (self._code if kind == "authorization_code" else self._refresh):
                # Known once and spent, or never known: whoever holds it, the family is not safe any more.
                self._refresh = ""
                self._access.clear()
                return 400, {"error": "invalid_grant"}, Asked(kind, False, cut, used, "")
            self._code = ""
            if kind == "authorization_code":
                self._access.clear()
            self._refresh, access = f"r-{secrets.token_urlsafe(24)}", f"a-{secrets.token_urlsafe(24)}"
            self._access.add(access)
            body = {
                "token_type": "Bearer",
                "expires_in": 43200,
                "access_token": access,
                "refresh_token": self._refresh,
            }
            return 200, body, Asked(kind, True, cut, used, self._refresh)
