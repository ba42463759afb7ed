"""A token endpoint: what is given for what, how long it lives, and what comes instead."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from tests.foreign.bodies import HTML, error, pack, page_of_html, waiting_time
from tests.foreign.books import Literal, as_json
from tests.foreign.http_server import Request, Response
from tests.foreign.options import Options

CODE_LIVES = 300.0
FAR_FUTURE = 10.0**12


@dataclass
class Access:
    ends: float
    works_from: float
    late: int
    uses: int  # left; -1: without a limit


@dataclass(frozen=True)
class Endpoint:
    """What the document says of it. `bodies`: form, json. `statuses`: of a success."""

    path: str
    bodies: tuple[str, ...]
    lifetime: float
    scope: str = ""
    has_type: bool = True
    has_lifetime: bool = True
    rotates: bool = False
    status: int = 200
    prefix: str = ""
    refusal: int = 400  # of a credential that is wrong


@dataclass
class Tokens:
    """`client`: the fields that every request must bring, id and secret; `keys`: those of a request with keys alone."""

    endpoint: Endpoint
    client: Mapping[str, str]
    keys: Mapping[str, str]
    rng: random.Random
    clock: Callable[[], float]
    codes: dict[str, float] = field(default_factory=dict)
    refreshes: set[str] = field(default_factory=set)
    living: dict[str, Access] = field(default_factory=dict)
    requests: int = 0
    given: int = 0  # since it behaves as it does
    trouble: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)  # what the protocol truly refused, and why

    def new_code(self) -> str:
        code = self._text()
        self.codes[code] = self.clock() + CODE_LIVES
        return code

    def accepts(self, token: str) -> bool:
        found, now = self.living.get(token), self.clock()
        if found is None or now >= found.ends or now < found.works_from or found.uses == 0:
            return False
        if found.late:
            found.late -= 1
            return False
        found.uses -= 1
        return True

    def heal(self) -> None:
        self.trouble.clear()
        for access in self.living.values():
            access.late, access.works_from = 0, 0.0

    def answer(self, request: Request, options: Options) -> Response:
        self.requests += 1
        kind = request.headers.get("content-type", "").partition(";")[0].strip()
        is_json = kind == "application/json"
        if (not is_json and kind != "application/x-www-form-urlencoded") or (
            ("json" if is_json else "form") not in self.endpoint.bodies
        ):
            return self._refusal(415, "unsupported_media_type", "the form of the body")
        text = request.body.decode()
        given: dict[str, Any] = json.loads(text) if is_json else dict(parse_qsl(text))
        grant = given.get("grant_type")
        needed = self.keys if grant == "client_credentials" else self.client
        if wrong := [name for name, value in needed.items() if given.get(name) != value]:
            return self._refusal(self.endpoint.refusal, "invalid_client", ", ".join(wrong))
        if self.trouble and grant in ("refresh_token", "client_credentials") and (what := self.trouble.pop(0)):
            return self._troubled(what, str(given.get("refresh_token", "")))
        match grant:
            case "client_credentials":
                return self._issued("", options)
            case "authorization_code":
                if self.codes.pop(str(given.get("code")), 0.0) < self.clock():
                    return self._refusal(400, "invalid_grant", "code")
                return self._issued(self._new_refresh(), options)
            case "refresh_token":
                old = str(given.get("refresh_token"))
                if old not in self.refreshes:
                    return self._refusal(400, "invalid_grant", "refresh token")
                return self._issued(self._rotated(old, options), options)
        return self._refusal(400, "unsupported_grant_type", str(grant))

    def _rotated(self, old: str, options: Options) -> str:
        if not (self.endpoint.rotates or options.rotation == "always"):
            return ""
        self.refreshes.discard(old)
        return self._new_refresh()

    def _new_refresh(self) -> str:
        made = self._text()
        self.refreshes.add(made)
        return made

    def _text(self) -> str:
        return self.endpoint.prefix + "".join(self.rng.choices("abcdefghijkmnpqrstuvwxyzACDEFG23456789-_", k=44))

    def _issued(self, refresh: str, options: Options) -> Response:
        access, now = self._text(), self.clock()
        life = options.life or self.endpoint.lifetime
        self.given += 1
        late = options.late if not options.late_tokens or self.given <= options.late_tokens else 0
        self.living[access] = Access(now + life, now + options.late_seconds, late, options.uses or -1)
        body: dict[str, Any] = {"access_token": access}
        if self.endpoint.has_type:
            body["token_type"] = options.token_kind
        if self.endpoint.has_lifetime or options.life:
            body |= self._lifetime(options.expires, life)
        if refresh:
            body["refresh_token"] = refresh
        if self.endpoint.scope:
            body["scope"] = self.endpoint.scope
        text, packing = as_json(body), options.token_packing
        content_type = "text/html; charset=utf-8" if packing == "html" else "application/json"
        answer = Response(self.endpoint.status, text.encode(), [("Content-Type", content_type)])
        if packing == "bom":
            answer.body = b"\xef\xbb\xbf" + answer.body
        elif packing == "gzip":
            pack(answer, "gzip")
        return answer

    @staticmethod
    def _lifetime(form: str, life: float) -> dict[str, Any]:
        said: dict[str, Any] = {
            "": int(life), "text": str(int(life)), "zero": 0, "fraction": Literal(f"{life:.2f}"), "null": None, "negative": -1,
            "words": "one hour",
        }  # fmt: skip
        return {} if form == "absent" else {"expires_in": said[form]}

    def _refusal(self, status: int, code: str, why: str) -> Response:
        """The protocol's own no."""
        self.refused.append(f"{code}: {why}")
        return error(status, json.dumps({"error": code}))

    def _troubled(self, what: str, refresh: str) -> Response:
        """Not the protocol's no: something in between, or a slip that is not repeated."""
        given = {}
        if what.endswith("new-refresh") and refresh in self.refreshes:
            self.refreshes.discard(refresh)
            given = {"refresh_token": self._new_refresh()}
        match what:
            case "access_denied":
                return error(400, json.dumps({"error": what, "error_description": "access_token not expired"}))
            case "invalid_grant" | "invalid_request" | "slow_down":
                return error(400, json.dumps({"error": what}))
            case "server_error" | "unavailable":
                code = "temporarily_unavailable" if what == "unavailable" else what
                return error(400 if what == "server_error" else 503, json.dumps({"error": code}))
            case "empty-400" | "empty-401":
                return error(int(what[-3:]))
            case "empty-200":
                return error(200)
            case "text-400":
                return error(400, "Bad Request", "text/plain")
            case "html-400" | "html-403":
                return page_of_html(int(what[-3:]))
            case "lists-403":
                return error(403, "[]")
            case "429-new-refresh" | "400-new-refresh" | "503-new-refresh":
                return error(int(what[:3]), json.dumps({"error": "slow_down", **given}))
            case "429":
                answer = error(429)
                answer.headers += waiting_time("seconds", 20)
                return answer
            case "cut":
                return Response(503, HTML, [("Content-Type", "text/html")], is_cut=True)
        return error(int(what))
