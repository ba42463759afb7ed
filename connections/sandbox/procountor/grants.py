"""What a person or a key let a client have: authorization codes, refresh tokens and access tokens."""

from __future__ import annotations

import secrets
import sqlite3
from dataclasses import dataclass

from connections.sandbox.kit import Kit
from connections.sandbox.procountor import rights
from connections.sandbox.procountor.accounts import FIRST_CLIENT, Accounts, claims, digest, opaque

TOKEN_SECONDS = 3600  # Procountor certification 3
REFRESH_SECONDS = 182 * 86_400  # "six months" (certification 3.2); in days it is our reading
REFRESH_CEILING = 100  # for one client, company and user (certification 3.2)
CODE_SECONDS = 300  # seen in a published client's test


class GrantRefused(ValueError):
    """A code or a refresh token that buys nothing; the text says why."""


@dataclass(frozen=True)
class Session:
    """Whom a living access token speaks for; `m2m` when it came from an API key."""

    company: sqlite3.Row
    user: sqlite3.Row
    client_id: str
    m2m: bool

    @property
    def levels(self) -> rights.Levels:
        return Accounts.levels(self.user)


@dataclass(frozen=True)
class Granted:
    """What a token request hands out; no refresh token when it need not be told."""

    access_token: str
    refresh_token: str | None = None


class Grants:
    """Issues, finds and ends what lives for a while; what people do that ends it stands in the office."""

    def __init__(self, kit: Kit, accounts: Accounts) -> None:
        self._kit, self._accounts, self._store = kit, accounts, kit.store

    # -- codes -----------------------------------------------------------------------------------------------------

    def issue_code(self, purpose: str, *, client: sqlite3.Row, company_id: int, user_id: int) -> str:
        """A code for `token` (sign in as this user) or `key` (an API key of this user), for this client alone."""
        code = secrets.token_urlsafe(24)
        sql = """INSERT INTO codes (digest, purpose, client_id, redirect_uri, company_id, user_id, expires_at)
            VALUES (?, ?, ?, ?, ?, ?, ?)"""
        expires = self._kit.clock.now() + CODE_SECONDS
        self._store.write(
            sql, digest(code), purpose, client["id"], client["redirect_uri"], company_id, user_id, expires
        )
        return code

    def redeem(self, code: str, purpose: str, *, client_id: str, redirect_uri: str | None) -> sqlite3.Row:
        """Use a code up. Raises GrantRefused: unknown, used, expired, of another client or redirect address."""
        now = self._kit.clock.now()
        with self._store.transaction():
            code_row = self._store.row("SELECT * FROM codes WHERE digest = ?", digest(code))
            if (
                code_row is None
                or code_row["purpose"] != purpose
                or code_row["client_id"] != client_id
                or code_row["used_at"] is not None
                or code_row["expires_at"] <= now
                or code_row["redirect_uri"] != redirect_uri
                or self._accounts.user(code_row["company_id"], code_row["user_id"]) is None
            ):
                msg = "Authorization code is not valid"
                raise GrantRefused(msg)
            self._store.write("UPDATE codes SET used_at = ? WHERE digest = ?", now, code_row["digest"])
        return code_row

    # -- tokens ----------------------------------------------------------------------------------------------------

    def enter_by_key(self, key: sqlite3.Row) -> Granted:
        """A new access token for a key that was found good."""
        with self._store.transaction():
            self._store.write("UPDATE api_keys SET used_at = ? WHERE id = ?", self._kit.clock.now(), key["id"])
            return Granted(self._issue(key["client_id"], key["company_id"], key["user_id"], key_id=key["id"]))

    def enter_by_code(self, code: sqlite3.Row) -> Granted:
        """Both tokens for a redeemed code. Raises GrantRefused."""
        client_id, company_id, user_id = code["client_id"], code["company_id"], code["user_id"]
        with self._store.transaction():
            self._admit(company_id, user_id)
            self._make_room(client_id, company_id, user_id)
            refresh_token, refresh_id = self._issue_refresh(client_id, company_id, user_id)
            return Granted(self._issue(client_id, company_id, user_id, refresh_id=refresh_id), refresh_token)

    def enter_by_refresh(self, refresh_token: str, *, client_id: str) -> Granted:
        """A new access token, and a new refresh token where they rotate. Raises GrantRefused."""
        now = self._kit.clock.now()
        sql = """SELECT * FROM refresh_tokens
            WHERE digest = ? AND client_id = ? AND killed_at IS NULL AND expires_at > ?"""
        with self._store.transaction():
            token = self._store.row(sql, digest(refresh_token), client_id, now)
            if token is None:
                msg = "Refresh token is not valid"
                raise GrantRefused(msg)
            company_id, user_id = token["company_id"], token["user_id"]
            self._admit(company_id, user_id)
            if not self._kit.switches.on("refresh_rotates"):
                return Granted(self._issue(client_id, company_id, user_id, refresh_id=token["id"]))
            self._store.write("UPDATE refresh_tokens SET killed_at = ? WHERE id = ?", now, token["id"])
            fresh, refresh_id = self._issue_refresh(client_id, company_id, user_id)
            return Granted(self._issue(client_id, company_id, user_id, refresh_id=refresh_id), fresh)

    def _admit(self, company_id: int, user_id: int) -> None:
        """M2M is the only way in for a user limited to it (certification 3.1). Raises GrantRefused."""
        user = self._accounts.user(company_id, user_id)
        if user is None or user["m2m_only"]:
            msg = "User may not use this flow"
            raise GrantRefused(msg)

    def _make_room(self, client_id: str, company_id: int, user_id: int) -> None:
        now = self._kit.clock.now()
        sql = """SELECT id FROM refresh_tokens WHERE client_id = ? AND company_id = ? AND user_id = ?
            AND killed_at IS NULL AND expires_at > ? ORDER BY id"""
        living = self._store.rows(sql, client_id, company_id, user_id, now)
        if len(living) < REFRESH_CEILING:
            return
        if self._kit.switches["refresh_ceiling"] == "newest_refused":
            msg = "There are 100 refresh tokens already"
            raise GrantRefused(msg)
        for each in living[: len(living) - REFRESH_CEILING + 1]:
            self._store.write("UPDATE refresh_tokens SET killed_at = ? WHERE id = ?", now, each["id"])

    def _issue_refresh(self, client_id: str, company_id: int, user_id: int) -> tuple[str, int]:
        token = secrets.token_urlsafe(48)
        sql = """INSERT INTO refresh_tokens (digest, client_id, company_id, user_id, expires_at)
            VALUES (?, ?, ?, ?, ?)"""
        expires = self._kit.clock.now() + REFRESH_SECONDS
        cursor = self._store.write(sql, digest(token), client_id, company_id, user_id, expires)
        return token, cursor.lastrowid or 0

    def _issue(
        self,
        client_id: str,
        company_id: int,
        user_id: int,
        *,
        key_id: int | None = None,
        refresh_id: int | None = None,
    ) -> str:
        now = self._kit.clock.now()
        content = claims(client_id, user_id, company_id, now) | {"exp": int(now) + TOKEN_SECONDS}
        token = opaque(content | ({"scope": "m2m"} if key_id else {}))
        self._store.write("DELETE FROM access_tokens WHERE expires_at < ?", now - 24 * TOKEN_SECONDS)
        sql = """INSERT INTO access_tokens (digest, key_id, refresh_id, client_id, company_id, user_id, expires_at)
            VALUES (?, ?, ?, ?, ?, ?, ?)"""
        self._store.write(sql, digest(token), key_id, refresh_id, client_id, company_id, user_id, now + TOKEN_SECONDS)
        return token

    def find(self, token: str) -> Session | None:
        """Whom this token speaks for; None when it is unknown, expired or killed."""
        sql = "SELECT * FROM access_tokens WHERE digest = ? AND killed_at IS NULL AND expires_at > ?"
        row = self._store.row(sql, digest(token), self._kit.clock.now())
        if row is None:
            return None
        company = self._accounts.company(row["company_id"])
        user = self._accounts.user(row["company_id"], row["user_id"])
        if company is None or user is None:
            return None
        return Session(company, user, row["client_id"], m2m=row["key_id"] is not None)

    def log_out(self, token: str) -> None:
        """End this token and, after a sign-in, its refresh token with all it gave (certification 3)."""
        now = self._kit.clock.now()
        with self._store.transaction():
            row = self._store.row("SELECT refresh_id FROM access_tokens WHERE digest = ?", digest(token))
            refresh_id = row["refresh_id"] if row else None
            sql = "UPDATE access_tokens SET killed_at = ? WHERE killed_at IS NULL AND (digest = ? OR refresh_id = ?)"
            self._store.write(sql, now, digest(token), refresh_id)
            self._store.write("UPDATE refresh_tokens SET killed_at = ? WHERE id = ?", now, refresh_id)

    # -- counting --------------------------------------------------------------------------------------------------

    def count_live(self) -> dict[str, int]:
        """How many tokens would be accepted now."""
        access = self._count(
            """SELECT count(*) FROM access_tokens JOIN users ON users.id = user_id
            WHERE killed_at IS NULL AND expires_at > ? AND removed_at IS NULL"""
        )
        refresh = """SELECT count(*) FROM refresh_tokens JOIN users ON users.id = user_id
            WHERE killed_at IS NULL AND expires_at > ? AND removed_at IS NULL"""
        return {
            "living_tokens": access,
            "live_access_tokens": access,
            "live_refresh_tokens": self._count(refresh),
            "live_refresh_tokens_of_first_client": self._count(refresh + " AND client_id = ?", FIRST_CLIENT),
        }

    def _count(self, sql: str, *values: str) -> int:
        row = self._store.row(sql, self._kit.clock.now(), *values)
        return 0 if row is None else int(row[0])
