"""API clients, what people granted them, and the tokens that came of it."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from connections.sandbox.kit import Kit
from connections.sandbox.smartbusiness.accounts import Accounts, Refused
from connections.sandbox.smartbusiness.errors import token_error

PORTAL_CLIENT = "portal-smartbusiness"
ACCESS_SECONDS = 43_200  # twelve hours, as documented
CODE_SECONDS = 600  # not documented
SCOPES = (
    "profile", "contact", "contact_reminder", "letter", "configuration", "catalog", "invoice", "offer",
    "delivery_note", "order_confirmation", "project", "cost_unit", "working_hours", "activity", "effort",
)  # fmt: skip
OWN, FOREIGN = "client_credentials", "authorization_code"


@dataclass(frozen=True)
class Session:
    """Whom a living access token speaks for, and what it may."""

    client_id: str
    company: dict[str, Any]
    user: sqlite3.Row
    rights: dict[str, str]
    scopes: frozenset[str]


@dataclass(frozen=True)
class Issued:
    """A fresh pair; the refresh token is there for consented grants only."""

    access: str
    refresh: str | None


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def in_order(scopes: Iterable[str]) -> str:
    chosen = set(scopes)
    return " ".join(scope for scope in SCOPES if scope in chosen)


class Grants:
    """Reads and changes clients, grants and tokens."""

    def __init__(self, kit: Kit, accounts: Accounts) -> None:
        self._kit, self._store, self._accounts = kit, kit.store, accounts
        with self._store.transaction():
            if self.client(PORTAL_CLIENT) is None:
                sql = """INSERT INTO clients (id, name, secret, grant_type, redirect_uri, scopes, created_at)
                    VALUES (?, 'Customer portal', ?, ?, ?, ?, ?)"""
                values = (secrets.token_hex(32), FOREIGN, kit.callback, in_order(SCOPES), kit.clock.now())
                self._store.write(sql, PORTAL_CLIENT, *values)
            self._store.write("UPDATE clients SET redirect_uri = ? WHERE id = ?", kit.callback, PORTAL_CLIENT)

    def forget(self) -> None:
        """Everything but the portal's own client."""
        self._store.write("DELETE FROM tokens")
        self._store.write("DELETE FROM grants")
        self._store.write("DELETE FROM clients WHERE company_id IS NOT NULL")

    # -- clients ---------------------------------------------------------------------------------------------------

    def client(self, client_id: str) -> sqlite3.Row | None:
        return self._store.row("SELECT * FROM clients WHERE id = ?", client_id)

    def clients(self, company_id: int) -> list[sqlite3.Row]:
        return self._store.rows("SELECT * FROM clients WHERE company_id = ? ORDER BY created_at DESC, id", company_id)

    def register(
        self, company_id: int, *, user_id: int, name: str, grant_type: str, redirect_uri: str, scopes: Iterable[str]
    ) -> str:
        """Home > Users > API V2 > Register a new client. Returns its id. Raises Refused."""
        name, scopes = name.strip(), set(scopes)
        user = self._accounts.user(user_id)
        if not name or len(name) > 80:
            raise Refused(field="name", message="Give a name of at most 80 characters.")
        if any(client["name"] == name for client in self.clients(company_id)):
            raise Refused(field="name", message="Another client has this name. Choose a new one.")
        if user is None or user["company_id"] != company_id:
            raise Refused(field="user", message="Choose a user of this company.")
        if grant_type not in (OWN, FOREIGN):
            raise Refused(field="grant_type", message="Choose for whose accounts the client is.")
        if grant_type == FOREIGN and not redirect_uri.startswith(("http://", "https://")):
            raise Refused(field="redirect_uri", message="Give an address with http:// or https://.")
        if not scopes or not scopes <= set(SCOPES):
            raise Refused(field="scopes", message="Tick at least one scope.")
        client_id = secrets.token_hex(16)
        sql = """INSERT INTO clients (id, company_id, user_id, name, secret, grant_type, redirect_uri, scopes, created_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""
        values = (name, secrets.token_hex(32), grant_type, redirect_uri if grant_type == FOREIGN else "")
        self._store.write(sql, client_id, company_id, user_id, *values, in_order(scopes), self._kit.clock.now())
        return client_id

    def revoke_client(self, client_id: str) -> None:
        """The client buys no more tokens, and nothing that came of it lives on."""
        now = self._kit.clock.now()
        with self._store.transaction():
            self._store.write("UPDATE clients SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL", now, client_id)
            for row in self._store.rows("SELECT id FROM grants WHERE client_id = ?", client_id):
                self.revoke(row["id"])

    # -- grants ----------------------------------------------------------------------------------------------------

    def connected(self, company_id: int) -> list[sqlite3.Row]:
        """What people of this company consented to, the newest first."""
        sql = """SELECT grants.*, clients.name AS client_name, users.name AS user_name, users.surname AS user_surname
            FROM grants JOIN clients ON clients.id = client_id JOIN users ON users.id = grants.user_id
            WHERE grants.company_id = ? AND consented ORDER BY grants.id DESC"""
        return self._store.rows(sql, company_id)

    def revoke(self, grant_id: int) -> None:
        """The refresh token fails from now on; whether access tokens end too is a switch."""
        now = self._kit.clock.now()
        with self._store.transaction():
            self._store.write("UPDATE grants SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL", now, grant_id)
            sql = (
                "UPDATE tokens SET killed_at = ? WHERE grant_id = ? AND killed_at IS NULL AND (kind != 'access' OR ?)"
            )
            self._store.write(sql, now, grant_id, self._kit.switches.on("revocation_ends_access"))

    def revoke_everything(self, company_id: int | None = None) -> None:
        """Every grant and every client of one company, or of all; the portal's own client stays a client."""
        sql = "SELECT id FROM grants WHERE ?1 IS NULL OR company_id = ?1"
        with self._store.transaction():
            for row in self._store.rows(sql, company_id):
                self.revoke(row["id"])
            sql = "SELECT id FROM clients WHERE company_id IS NOT NULL AND (?1 IS NULL OR company_id = ?1)"
            for row in self._store.rows(sql, company_id):
                self.revoke_client(row["id"])

    def consent(
        self, client: sqlite3.Row, user: sqlite3.Row, scopes: str, *, redirect_uri: str, challenge: str, method: str
    ) -> str:
        """A person approved: returns the authorization code."""
        with self._store.transaction():
            grant = self._grant(client["id"], user, scopes, consented=True)
            code = _random("def50200", 240)
            sql = """INSERT INTO tokens (digest, kind, grant_id, scopes, expires_at, redirect_uri, challenge, challenge_method)
                VALUES (?, 'code', ?, ?, ?, ?, ?, ?)"""
            expires = self._kit.clock.now() + CODE_SECONDS
            self._store.write(sql, digest(code), grant, scopes, expires, redirect_uri, challenge, method)
        return code

    def _grant(self, client_id: str, user: sqlite3.Row, scopes: str, *, consented: bool) -> int:
        sql = """INSERT INTO grants (client_id, user_id, company_id, consented, scopes, created_at)
            VALUES (?, ?, ?, ?, ?, ?)"""
        values = (client_id, user["id"], user["company_id"], consented, scopes, self._kit.clock.now())
        return self._store.write(sql, *values).lastrowid or 0

    # -- tokens ----------------------------------------------------------------------------------------------------

    def for_own_account(self, client: sqlite3.Row, scopes: str) -> Issued:
        user = self._accounts.user(client["user_id"])
        assert user is not None  # noqa: S101  # nosec B101 - users are never removed while their clients stay
        sql = "SELECT id FROM grants WHERE client_id = ? AND NOT consented"
        with self._store.transaction():
            row = self._store.row(sql, client["id"])
            grant = row["id"] if row else self._grant(client["id"], user, client["scopes"], consented=False)
            return Issued(self._issue(grant, scopes), None)

    def find_usable(self, kind: str, secret: str, client: sqlite3.Row) -> sqlite3.Row:
        """A code or refresh token of this client, with `revoked`, good or spent. Raises Trouble when it is neither."""
        sql = """SELECT tokens.*, grants.client_id, grants.revoked_at AS revoked FROM tokens
            JOIN grants ON grants.id = grant_id WHERE digest = ? AND kind = ?"""
        row = self._store.row(sql, digest(secret), kind)
        if row is None or row["client_id"] != client["id"]:
            raise self.refused(kind=kind, hint="Unknown")
        if row["killed_at"] is not None or row["revoked"] is not None:
            raise self.refused(kind=kind, hint="Revoked")
        if row["expires_at"] is not None and row["expires_at"] <= self._kit.clock.now():
            raise self.refused(kind=kind, hint="Expired")
        return row

    def refused(self, *, kind: str, hint: str) -> Exception:
        if kind == "refresh" and self._kit.switches["refused_refresh"] == "401":
            return token_error(401, "invalid_request", "The refresh token is invalid.", hint)
        thing = "refresh token" if kind == "refresh" else "authorization code"
        return token_error(400, "invalid_grant", f"The {thing} is not valid.", hint)

    def exchange(self, code: sqlite3.Row) -> Issued:
        """A code becomes the first pair; it works once."""
        with self._store.transaction():
            if not self._spend(code["digest"]):
                raise self.refused(kind="code", hint="Already used")
            return Issued(self._issue(code["grant_id"], code["scopes"]), self._issue_refresh(code))

    def refresh(self, token: sqlite3.Row, presented: str, scopes: str) -> Issued:
        """A new pair for the old refresh token, as the switch `rotation` says. Raises Trouble when it was spent."""
        rotation = self._kit.switches["rotation"]
        with self._store.transaction():
            # Spending it and finding out that somebody else did are one statement.
            spent = token["spent_at"] is not None if rotation != "single_use" else not self._spend(token["digest"])
            if not spent:
                if self._kit.switches.on("refresh_ends_access"):
                    sql = (
                        "UPDATE tokens SET killed_at = ? WHERE grant_id = ? AND kind = 'access' AND killed_at IS NULL"
                    )
                    self._store.write(sql, self._kit.clock.now(), token["grant_id"])
                grants = self._issue(token["grant_id"], scopes)
                if rotation == "single_use":
                    return Issued(grants, self._issue_refresh(token))
                return Issued(grants, presented if rotation == "kept" else None)
            if self._kit.switches["spent_refresh"] == "kills_grant":
                self.revoke(token["grant_id"])
        raise self.refused(kind="refresh", hint="Token has been revoked")

    def _spend(self, token: str) -> bool:
        sql = "UPDATE tokens SET spent_at = ? WHERE digest = ? AND spent_at IS NULL"
        return self._store.write(sql, self._kit.clock.now(), token).rowcount == 1

    def _issue(self, grant: int, scopes: str) -> str:
        now = self._kit.clock.now()
        claims = {"jti": secrets.token_hex(20), "iat": int(now), "exp": int(now) + ACCESS_SECONDS, "sub": str(grant)}
        grants = ".".join(map(_base64, ({"typ": "JWT", "alg": "RS256"}, claims, secrets.token_hex(64))))
        sql = "INSERT INTO tokens (digest, kind, grant_id, scopes, expires_at) VALUES (?, 'access', ?, ?, ?)"
        self._store.write("DELETE FROM tokens WHERE kind = 'access' AND expires_at < ?", now - 2 * ACCESS_SECONDS)
        self._store.write(sql, digest(grants), grant, scopes, now + ACCESS_SECONDS)
        return grants

    def _issue_refresh(self, before: sqlite3.Row) -> str:
        refresh = _random("def50200", 300)
        sql = "INSERT INTO tokens (digest, kind, grant_id, scopes) VALUES (?, 'refresh', ?, ?)"
        self._store.write(sql, digest(refresh), before["grant_id"], before["scopes"])
        return refresh

    def session(self, token: str) -> Session | None:
        """Whom this access token speaks for; None when it is unknown, expired or killed."""
        sql = """SELECT grants.id AS grant_id, grants.used_at, grants.client_id, grants.user_id, grants.company_id, tokens.scopes
            FROM tokens JOIN grants ON grants.id = grant_id
            WHERE digest = ? AND kind = 'access' AND killed_at IS NULL AND expires_at > ?"""
        now = self._kit.clock.now()
        row = self._store.row(sql, digest(token), now)
        if row is None:
            return None
        company, user = self._accounts.company(row["company_id"]), self._accounts.user(row["user_id"])
        if company is None or user is None:
            return None
        if row["used_at"] is None or abs(now - row["used_at"]) > 60:
            self._store.write("UPDATE grants SET used_at = ? WHERE id = ?", now, row["grant_id"])
        scopes = frozenset(row["scopes"].split())
        return Session(row["client_id"], company, user, self._accounts.rights(user), scopes)

    def count_live(self, kind: str) -> int:
        """How many tokens of this kind would be accepted now."""
        sql = """SELECT count(*) FROM tokens JOIN grants ON grants.id = grant_id WHERE kind = ? AND killed_at IS NULL
            AND spent_at IS NULL AND (expires_at IS NULL OR expires_at > ?)
            AND (kind = 'access' OR revoked_at IS NULL)"""
        row = self._store.row(sql, kind, self._kit.clock.now())
        return 0 if row is None else int(row[0])


def _random(head: str, size: int) -> str:
    return head + secrets.token_hex(size)


def _base64(part: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
