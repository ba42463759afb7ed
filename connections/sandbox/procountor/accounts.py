"""Who is who in the simulated Procountor: companies, users, API clients and API keys."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import sqlite3
from collections.abc import Mapping

from connections.sandbox.kit import Kit
from connections.sandbox.procountor import rights

# Invented; the check digit of neither code is right, so no real company can have it.
COMPANIES = (
    (10451, "Aamu Oy", "0000001-0", "Ilona Esimerkki"),
    (10452, "Iltarusko Oy", "0000002-0", "Otso Keksitty"),
    (10453, "Lumikide Oy", "0000004-0", "Saana Sepitetty"),
)
MAIN_COMPANY = COMPANIES[0][0]
VENDOR = (10499, "Portaali Oy", "0000003-0", "Veera Keksitty")  # whose software the first API client is
FIRST_USER = 3001
FIRST_CLIENT = "portal-sandbox"
CUSTOMISED = "Customised"
ALL_RIGHTS_ROLE = "All rights"


class Refused(ValueError):
    """A form or control request the office cannot follow: the field, and a sentence for the person."""

    def __init__(self, *, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def opaque(claims: Mapping[str, object]) -> str:
    """Something that looks like a signed token: header, claims and a random signature."""
    parts = [json.dumps(part, separators=(",", ":")).encode() for part in ({"alg": "RS256", "typ": "JWT"}, claims)]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in [*parts, secrets.token_bytes(64)])


class Accounts:
    """Reads and changes the kept state; what dies with what is told in the document (certification 3)."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._store = kit.store
        with self._store.transaction():
            self._create_companies()
            if not self.clients():
                self.add_client(name="Customer portal", redirect_uri=kit.callback, client_id=FIRST_CLIENT)
            # The store is kept over restarts, where the portal listens may change.
            self._store.write("UPDATE clients SET redirect_uri = ? WHERE id = ?", kit.callback, FIRST_CLIENT)

    def _create_companies(self) -> None:
        now = self._kit.clock.now()
        everything = json.dumps(rights.preset("everything"))
        for number, (company, name, code, person) in enumerate((*COMPANIES, VENDOR)):
            if self.company(company) is not None:
                continue
            self._store.write("INSERT INTO companies (id, name, code) VALUES (?, ?, ?)", company, name, code)
            sql = """INSERT INTO users (company_id, name, role, levels, person, created_at, id)
                VALUES (?, ?, ?, ?, 1, ?, ?)"""
            # In a store of an earlier day somebody else may have this id by now.
            free = self._store.row("SELECT 1 FROM users WHERE id = ?", FIRST_USER + number) is None
            ident = FIRST_USER + number if free else None
            self._store.write(sql, company, person, ALL_RIGHTS_ROLE, everything, now, ident)

    def reset(self) -> None:
        """Back to the first day, except for the API clients."""
        with self._store.transaction():
            for emptied in (
                "DELETE FROM access_tokens",
                "DELETE FROM refresh_tokens",
                "DELETE FROM codes",
                "DELETE FROM api_keys",
                "DELETE FROM users",
                "DELETE FROM companies",
            ):
                self._store.write(emptied)
            self._create_companies()

    # -- companies -------------------------------------------------------------------------------------------------

    def companies(self) -> list[sqlite3.Row]:
        return self._store.rows("SELECT * FROM companies ORDER BY id")

    def company(self, company_id: int) -> sqlite3.Row | None:
        return self._store.row("SELECT * FROM companies WHERE id = ?", company_id)

    def allow_usage(self, company_id: int, allowed: bool) -> None:
        """Management > Company info > Usage settings > Allow the usage of invoiceable API clients."""
        self._store.write("UPDATE companies SET usage_allowed = ? WHERE id = ?", allowed, company_id)

    # -- users -----------------------------------------------------------------------------------------------------

    def users(self, company_id: int) -> list[sqlite3.Row]:
        return self._store.rows(
            "SELECT * FROM users WHERE company_id = ? AND removed_at IS NULL ORDER BY id", company_id
        )

    def user(self, company_id: int, user_id: int) -> sqlite3.Row | None:
        sql = "SELECT * FROM users WHERE company_id = ? AND id = ? AND removed_at IS NULL"
        return self._store.row(sql, company_id, user_id)

    @staticmethod
    def levels(user: sqlite3.Row) -> rights.Levels:
        levels: rights.Levels = json.loads(user["levels"])
        return levels

    def add_user(
        self,
        company_id: int,
        *,
        name: str,
        levels: Mapping[str, object],
        role: str = CUSTOMISED,
        m2m_only: bool = False,
    ) -> int:
        sql = "INSERT INTO users (company_id, name, role, levels, m2m_only, created_at) VALUES (?, ?, ?, ?, ?, ?)"
        values = (company_id, _named(name), role, json.dumps(levels), m2m_only, self._kit.clock.now())
        return self._store.write(sql, *values).lastrowid or 0

    def change_user(
        self, user: sqlite3.Row, *, name: str, levels: Mapping[str, object], role: str, m2m_only: bool
    ) -> None:
        sql = "UPDATE users SET name = ?, role = ?, levels = ?, m2m_only = ? WHERE id = ?"
        self._store.write(sql, _named(name), role, json.dumps(levels), m2m_only, user["id"])

    def change_password(self, user_id: int) -> None:
        """Kills access and refresh tokens issued for this user; the API keys live on (certification 3)."""
        with self._store.transaction():
            self._store.write("UPDATE users SET password_changed_at = ? WHERE id = ?", self._kit.clock.now(), user_id)
            self._end_sessions(user_id=user_id)

    def remove_user(self, user_id: int) -> None:
        """Takes the user out of the company: tokens die, and no key of this user buys a new one."""
        with self._store.transaction():
            self._store.write("UPDATE users SET removed_at = ? WHERE id = ?", self._kit.clock.now(), user_id)
            self._end_sessions(user_id=user_id)

    # -- API clients and keys --------------------------------------------------------------------------------------

    def clients(self) -> list[sqlite3.Row]:
        return self._store.rows("SELECT * FROM clients ORDER BY created_at, id")

    def client(self, client_id: str) -> sqlite3.Row | None:
        return self._store.row("SELECT * FROM clients WHERE id = ?", client_id)

    def add_client(
        self, *, name: str, redirect_uri: str, invoiceable: bool = True, client_id: str | None = None
    ) -> str:
        """Register an API client; its secret is drawn at random. Returns the client id."""
        if not redirect_uri.startswith(("http://", "https://")) or "?" in redirect_uri:
            message = "Give an address with http:// or https:// and no query string."
            raise Refused(field="redirect_uri", message=message)
        client_id = client_id or f"client-{secrets.token_hex(6)}"
        sql = "INSERT INTO clients (id, name, secret, redirect_uri, invoiceable, created_at) VALUES (?, ?, ?, ?, ?, ?)"
        self._store.write(
            sql, client_id, _named(name), secrets.token_urlsafe(24), redirect_uri, invoiceable, self._kit.clock.now()
        )
        return client_id

    def keys(self, company_id: int) -> list[sqlite3.Row]:
        sql = """SELECT api_keys.*, users.name AS user_name, users.removed_at AS user_removed_at,
                clients.name AS client_name
            FROM api_keys JOIN users ON users.id = user_id JOIN clients ON clients.id = client_id
            WHERE api_keys.company_id = ? ORDER BY api_keys.id DESC"""
        return self._store.rows(sql, company_id)

    def add_key(self, company_id: int, *, user_id: int, client_id: str) -> str:
        """Personal info and settings > API client keys > New API key: told once, kept as a digest. Raises Refused."""
        if self.user(company_id, user_id) is None:
            raise Refused(field="user", message="Choose a user of this company.")
        if self.client(client_id) is None:
            raise Refused(
                field="client_id",
                message="No API client has this client id. Paste it just as it is shown.",
            )
        now = self._kit.clock.now()
        key = opaque(claims(client_id, user_id, company_id, now))
        sql = (
            "INSERT INTO api_keys (company_id, user_id, client_id, digest, tail, created_at) VALUES (?, ?, ?, ?, ?, ?)"
        )
        self._store.write(sql, company_id, user_id, client_id, digest(key), key[-4:], now)
        return key

    def key(self, api_key: str) -> sqlite3.Row | None:
        return self._store.row("SELECT * FROM api_keys WHERE digest = ?", digest(api_key))

    def revoke_key(self, key_id: int) -> None:
        """The next token request with it fails; whether its tokens die now is a switch."""
        with self._store.transaction():
            sql = "UPDATE api_keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL"
            self._store.write(sql, self._kit.clock.now(), key_id)
            if self._kit.switches.on("revoked_key_kills_tokens"):
                self._end_sessions(key_id=key_id)

    def revoke_everything(self) -> None:
        """All companies take back what they granted: keys, tokens, and codes that nobody swapped yet."""
        now = self._kit.clock.now()
        with self._store.transaction():
            self._store.write("UPDATE api_keys SET revoked_at = ? WHERE revoked_at IS NULL", now)
            self._store.write("UPDATE access_tokens SET killed_at = ? WHERE killed_at IS NULL", now)
            self._store.write("UPDATE refresh_tokens SET killed_at = ? WHERE killed_at IS NULL", now)
            self._store.write("UPDATE codes SET used_at = ? WHERE used_at IS NULL", now)

    def _end_sessions(self, *, user_id: int | None = None, key_id: int | None = None) -> None:
        now = self._kit.clock.now()
        sql = "UPDATE access_tokens SET killed_at = ? WHERE killed_at IS NULL AND (user_id = ? OR key_id = ?)"
        self._store.write(sql, now, user_id, key_id)
        self._store.write(
            "UPDATE refresh_tokens SET killed_at = ? WHERE killed_at IS NULL AND user_id = ?", now, user_id
        )


def claims(client_id: str, user_id: int, company_id: int, now: float) -> dict[str, object]:
    """What was seen inside Procountor's keys and tokens."""
    return {
        "iss": "procountor-simulator",
        "aud": client_id,
        "sub": str(user_id),
        "cid": company_id,
        "jti": secrets.token_hex(8),
        "iat": int(now),
    }


def _named(name: str) -> str:
    name = name.strip()
    if not name or len(name) > 80:
        raise Refused(field="name", message="Give a name of at most 80 characters.")
    return name
