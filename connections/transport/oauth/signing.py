"""Puts secrets into a request right before it leaves: each for its own use, and to where it may go, or not at all."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson

from connections.spec.grants import TokenBody
from connections.spec.placement import Placement, Signed
from connections.spec.uses import Use
from connections.vault.secret import BoundSecret


@dataclass(frozen=True)
class TokenSignature:
    """`kind`: the token's type as the provider named it."""

    placement: Placement
    token: BoundSecret
    kind: str

    def sign(self, url: str) -> Signed:
        signed = Signed({}, {})
        self.placement.place(self.token.reveal_for(self.placement.use, url), self.kind, signed)
        return signed


@dataclass(frozen=True)
class TokenRequestSignature:
    """The fields of a request for a token; what is no secret stands there as plain text."""

    fields: Mapping[str, str | BoundSecret] = field(repr=False)
    body: TokenBody

    def sign(self, url: str) -> Signed:
        revealed = {
            name: value.reveal_for(Use.TOKEN_REQUEST, url) if isinstance(value, BoundSecret) else value
            for name, value in self.fields.items()
        }
        if self.body is TokenBody.JSON:
            return Signed({}, {}, body=orjson.dumps(revealed))
        return Signed({}, {}, form=revealed)


@dataclass(frozen=True)
class HttpBasic:
    """RFC 7617."""

    user: str
    password: BoundSecret

    def sign(self, url: str) -> Signed:
        pair = f"{self.user}:{self.password.reveal_for(Use.BASIC, url)}"
        return Signed({"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}, {})
