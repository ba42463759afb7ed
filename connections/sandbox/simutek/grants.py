"""Simutek's service desk: it registers API clients for the printing house, disables them, and issues access tokens."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import sqlite3
from collections.abc import Collection, Mapping

from connections.sandbox.kit import Kit

SCOPE = "gks4.api"
RESOURCES = {"customers": "Customers", "salesorders": "Sales orders"}


class Refused(ValueError):
    """A form or control request that cannot be followed: the field, and a sentence for the person."""

    def __init__(self, *, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


class Grants:
    """Reads and changes who may come in; secrets and tokens are kept as digests only."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._store = kit.store

    @property
    def addresses(self) -> dict[str, str]:
        """What a customer is told beside the id and secret: where the API and the token request are."""
        origin = self._kit.doors["api"].origin
        return {"api_url": origin, "token_url": f"{origin}/connect/token"}

    def reset(self) -> None:
        with self._store.transaction():
            self._store.write("DELETE FROM tokens")
            self._store.write("DELETE FROM clients")

    # -- API clients -----------------------------------------------------------------------------------------------

    def clients(self) -> list[sqlite3.Row]:
        return self._store.rows("SELECT * FROM clients ORDER BY created_at DESC, id")

    def client(self, client_id: str) -> sqlite3.Row | None:
        return self._store.row("SELECT * FROM clients WHERE id = ?", client_id)

    def register(self, *, name: str, resources: Collection[str]) -> tuple[str, str]:
        """Register an API client for the printing house; returns its id and, this one time, its secret. Raises Refused."""
        name = name.strip()
        if not name or len(name) > 80:
            raise Refused(field="name", message="Give a name of at most 80 characters.")
        if not resources or not set(resources) <= set(RESOURCES):
            raise Refused(field="resources", message="Choose one or more of the resources offered.")
        client_id, secret = f"gks4-{secrets.token_hex(6)}", secrets.token_urlsafe(30)
        sql = "INSERT INTO clients (id, name, digest, resources, created_at) VALUES (?, ?, ?, ?, ?)"
        resource_names = ",".join(sorted(set(resources)))
        self._store.write(sql, client_id, name, digest(secret), resource_names, self._kit.clock.now())
        return client_id, secret

    def disable(self, client_id: str) -> None:
        """No new token for it; what becomes of those it holds is a switch."""
        sql = "UPDATE clients SET disabled_at = ? WHERE id = ? AND disabled_at IS NULL"
        self._store.write(sql, self._kit.clock.now(), client_id)

    def enable(self, client_id: str) -> None:
        self._store.write("UPDATE clients SET disabled_at = NULL WHERE id = ?", client_id)

    def end_tokens(self, client_id: str) -> None:
        """End every access token of this client now."""
        sql = "UPDATE tokens SET killed_at = ? WHERE client_id = ? AND killed_at IS NULL"
        self._store.write(sql, self._kit.clock.now(), client_id)

    # -- access tokens ---------------------------------------------------------------------------------------------

    def authenticate(self, client_id: str, secret: str) -> sqlite3.Row | None:
        """The client, if this is its secret and it is not disabled."""
        client = self.client(client_id)
        stored_digest = "" if client is None else client["digest"]
        same = secrets.compare_digest(stored_digest, digest(secret))
        return client if client is not None and same and client["disabled_at"] is None else None

    def issue_token(self, client_id: str, seconds: int) -> str:
        now = self._kit.clock.now()
        token = _signed({"iss": "simutek-simulator", "client_id": client_id, "scope": [SCOPE], "iat": int(now),
                         "exp": int(now) + seconds, "jti": secrets.token_hex(16)})  # fmt: skip
        with self._store.transaction():
            self._store.write("DELETE FROM tokens WHERE expires_at < ?", now - 24 * 3600)
            sql = "INSERT INTO tokens (digest, client_id, expires_at) VALUES (?, ?, ?)"
            self._store.write(sql, digest(token), client_id, now + seconds)
            self._store.write("UPDATE clients SET used_at = ? WHERE id = ?", now, client_id)
        return token

    def client_of_token(self, token: str) -> sqlite3.Row | None:
        """The client this token speaks for; None when it is unknown, expired or ended."""
        sql = f"SELECT clients.* {_LIVING} AND tokens.digest = ?"
        return self._store.row(sql, self._kit.clock.now(), self._disabled_live, digest(token))

    def count_live_tokens(self) -> int:
        """How many access tokens would be accepted now."""
        sql = f"SELECT count(*) AS found {_LIVING}"
        row = self._store.row(sql, self._kit.clock.now(), self._disabled_live)
        return 0 if row is None else int(row["found"])

    @property
    def _disabled_live(self) -> bool:
        return self._kit.switches["disabled_client_tokens"] == "live"


_LIVING = """FROM tokens JOIN clients ON clients.id = client_id
    WHERE killed_at IS NULL AND expires_at > ? AND (disabled_at IS NULL OR ?)"""


def _signed(claims: Mapping[str, object]) -> str:
    """Something that looks like a signed token: header, claims and a random signature."""
    parts = [json.dumps(part, separators=(",", ":")).encode() for part in ({"alg": "RS256", "typ": "at+jwt"}, claims)]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in [*parts, secrets.token_bytes(64)])
