"""API clients, what shops granted them, and the tokens that came of it."""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
import uuid
from dataclasses import dataclass

from connections.sandbox.hesabit.errors import TokenError
from connections.sandbox.kit import Kit

PORTAL_CLIENT = "portal-hesabit"
ACCESS_SECONDS = 36_000  # ten hours, as documented
CODE_SECONDS = 60  # not documented
SCOPE = "write"


class Refused(ValueError):
    """A form or control request that cannot be followed: the field, and a sentence for the person."""

    def __init__(self, *, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True)
class Session:
    """Whom a living access token speaks for."""

    client_id: str
    client_name: str
    shop_id: int


@dataclass(frozen=True)
class Issued:
    """Fresh tokens; a refresh token is there when the answer shall hold one."""

    access: str
    refresh: str | None


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


class Grants:
    """Reads and changes clients, grants and tokens; of a token only the digest is kept."""

    def __init__(self, kit: Kit) -> None:
        self._kit, self._store = kit, kit.store
        with self._store.transaction():
            sql = "INSERT OR IGNORE INTO clients (id, name, secret, redirect_uri, created_at) VALUES (?, ?, ?, ?, ?)"
            values = ("Customer portal", secrets.token_hex(24), kit.callback, kit.clock.now())
            self._store.write(sql, PORTAL_CLIENT, *values)
            self._store.write("UPDATE clients SET redirect_uri = ? WHERE id = ?", kit.callback, PORTAL_CLIENT)

    def forget(self) -> None:
        """Everything but the portal's own client."""
        self._store.write("DELETE FROM tokens")
        self._store.write("DELETE FROM grants")
        self._store.write("DELETE FROM clients WHERE shop_id IS NOT NULL")

    # -- clients ---------------------------------------------------------------------------------------------------

    def client(self, client_id: str) -> sqlite3.Row | None:
        """A client that was not removed."""
        return self._store.row("SELECT * FROM clients WHERE id = ? AND removed_at IS NULL", client_id)

    def clients(self, shop_id: int) -> list[sqlite3.Row]:
        sql = "SELECT * FROM clients WHERE shop_id = ? AND removed_at IS NULL ORDER BY created_at, id"
        return self._store.rows(sql, shop_id)

    def register(self, shop_id: int, *, name: str, redirect_uri: str) -> str:
        """User panel > Clients > new client. Returns its id. Raises Refused."""
        name, redirect_uri = name.strip(), redirect_uri.strip()
        if not name or len(name) > 80:
            raise Refused(field="name", message="نامی با حداکثر ۸۰ نویسه وارد کنید.")
        if not redirect_uri.startswith(("http://", "https://")) or "#" in redirect_uri:
            raise Refused(field="redirect_uri", message="آدرس بازگشت باید با http:// یا https:// شروع شود.")
        client_id = str(uuid.uuid4())
        sql = "INSERT INTO clients (id, shop_id, name, secret, redirect_uri, created_at) VALUES (?, ?, ?, ?, ?, ?)"
        values = (name, secrets.token_hex(24), redirect_uri, self._kit.clock.now())
        self._store.write(sql, client_id, shop_id, *values)
        return client_id

    def remove_client(self, client_id: str) -> None:
        """The client gets no more tokens, and what it was granted is revoked."""
        with self._store.transaction():
            self._store.write("UPDATE clients SET removed_at = ? WHERE id = ?", self._kit.clock.now(), client_id)
            self._revoke("SELECT id FROM grants WHERE client_id = ? AND revoked_at IS NULL", client_id)

    # -- grants ----------------------------------------------------------------------------------------------------

    def granted(self, shop_id: int) -> list[sqlite3.Row]:
        """What this shop approved, the newest first."""
        sql = """SELECT grants.*, clients.name AS client_name FROM grants JOIN clients ON clients.id = client_id
            WHERE grants.shop_id = ? ORDER BY grants.id DESC"""
        return self._store.rows(sql, shop_id)

    def consent(self, client: sqlite3.Row, shop_id: int, *, offline: bool) -> str:
        """Somebody of the shop approved: returns the authorization code."""
        sql = "INSERT INTO grants (client_id, shop_id, offline, redirect_uri, created_at) VALUES (?, ?, ?, ?, ?)"
        with self._store.transaction():
            values = (client["id"], shop_id, offline, client["redirect_uri"], self._kit.clock.now())
            grant = self._store.write(sql, *values).lastrowid or 0
            return self._issue("code", grant, CODE_SECONDS)

    def revoke(self, grant_id: int) -> None:
        self._revoke("SELECT id FROM grants WHERE id = ? AND revoked_at IS NULL", grant_id)

    def revoke_everything(self, shop_id: int | None = None) -> None:
        """What one shop, or every shop, granted."""
        self._revoke("SELECT id FROM grants WHERE (?1 IS NULL OR shop_id = ?1) AND revoked_at IS NULL", shop_id)

    def _revoke(self, chosen: str, value: object) -> None:
        """The refresh tokens of these grants fail from now on; whether access tokens end too is a switch."""
        ends = self._kit.switches.on("revocation_ends_access")
        with self._store.transaction():
            for row in self._store.rows(chosen, value):
                self._end(row["id"], access_too=ends)

    def _end(self, grant_id: int, *, access_too: bool) -> None:
        now = self._kit.clock.now()
        self._store.write("UPDATE grants SET revoked_at = ? WHERE id = ?", now, grant_id)
        sql = "UPDATE tokens SET killed_at = ? WHERE grant_id = ? AND killed_at IS NULL AND (kind != 'access' OR ?)"
        self._store.write(sql, now, grant_id, access_too)

    # -- tokens ----------------------------------------------------------------------------------------------------

    def exchange(self, client: sqlite3.Row, code: str, redirect_uri: str) -> Issued:
        """A code becomes tokens, once. Raises TokenTrouble."""
        with self._store.transaction():
            grant = self._find_usable("code", code, client)
            if redirect_uri != grant["redirect_uri"]:
                raise TokenError(400, "invalid_grant", "redirect_uri is not that of the authorization request")
            self._kill(code)
            if self._kit.switches["second_consent"] == "replaces":
                sql = "SELECT id FROM grants WHERE client_id = ? AND shop_id = ? AND id < ? AND revoked_at IS NULL"
                for row in self._store.rows(sql, client["id"], grant["shop_id"], grant["id"]):
                    self._end(row["id"], access_too=True)
            refresh = self._issue("refresh", grant["id"], None) if grant["offline"] else None
            return Issued(self._issue("access", grant["id"], ACCESS_SECONDS), refresh)

    def refresh(self, client: sqlite3.Row, refresh_token: str) -> Issued:
        """A new access token; what becomes of the old tokens are switches. Raises TokenTrouble."""
        answer = self._kit.switches["refresh_answer"]
        with self._store.transaction():
            grant = self._find_usable("refresh", refresh_token, client)
            if self._kit.switches.on("refresh_ends_access"):
                sql = "UPDATE tokens SET killed_at = ? WHERE grant_id = ? AND kind = 'access' AND killed_at IS NULL"
                self._store.write(sql, self._kit.clock.now(), grant["id"])
            refresh = refresh_token if answer == "repeated" else None
            if answer == "rotated":
                self._kill(refresh_token)
                refresh = self._issue("refresh", grant["id"], None)
            return Issued(self._issue("access", grant["id"], ACCESS_SECONDS), refresh)

    def session(self, token: str) -> Session | None:
        """Whom this access token speaks for; None when it is unknown, expired or ended."""
        sql = """SELECT clients.id AS client_id, clients.name, grants.shop_id FROM tokens
            JOIN grants ON grants.id = grant_id JOIN clients ON clients.id = client_id
            WHERE digest = ? AND kind = 'access' AND killed_at IS NULL AND expires_at > ?"""
        row = self._store.row(sql, digest(token), self._kit.clock.now())
        return None if row is None else Session(row["client_id"], row["name"], row["shop_id"])

    def count_live(self, kind: str) -> int:
        """How many access or refresh tokens would be accepted now."""
        sql = """SELECT count(*) FROM tokens WHERE kind = ? AND killed_at IS NULL
            AND (expires_at IS NULL OR expires_at > ?)"""
        row = self._store.row(sql, kind, self._kit.clock.now())
        return 0 if row is None else int(row[0])

    def _find_usable(self, kind: str, secret: str, client: sqlite3.Row) -> sqlite3.Row:
        sql = """SELECT grants.*, killed_at, expires_at FROM tokens JOIN grants ON grants.id = grant_id
            WHERE digest = ? AND kind = ? AND client_id = ?"""
        row = self._store.row(sql, digest(secret), kind, client["id"])
        thing = {"code": "The code", "refresh": "The refresh token"}[kind]
        if row is None:
            raise TokenError(400, "invalid_grant", f"{thing} is unknown")
        if row["killed_at"] is not None:
            raise TokenError(400, "invalid_grant", f"{thing} was used or revoked")
        if row["expires_at"] is not None and row["expires_at"] <= self._kit.clock.now():
            raise TokenError(400, "invalid_grant", f"{thing} is expired")
        return row

    def _kill(self, secret: str) -> None:
        sql = "UPDATE tokens SET killed_at = ? WHERE digest = ?"
        self._store.write(sql, self._kit.clock.now(), digest(secret))

    def _issue(self, kind: str, grant_id: int, seconds: int | None) -> str:
        token, now = str(uuid.uuid4()), self._kit.clock.now()
        self._store.write("DELETE FROM tokens WHERE expires_at < ?", now - 10 * ACCESS_SECONDS)
        sql = "INSERT INTO tokens (digest, kind, grant_id, expires_at) VALUES (?, ?, ?, ?)"
        self._store.write(sql, digest(token), kind, grant_id, None if seconds is None else now + seconds)
        return token
