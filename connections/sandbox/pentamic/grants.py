"""Who is let in at the simulated Pentamic: customer companies, their API clients, and access tokens."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import sqlite3
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from connections.sandbox.kit import Kit

COMPANIES = {501: "Sương Mai Ví Dụ Co., Ltd", 502: "Hoàng Hôn Ví Dụ Co., Ltd"}  # invented
MAIN_COMPANY = 501
API_SCOPE = "pa-api"  # an older wording of the document names it; what is handed out today is private
OTHER_SCOPE = "pa-reports"  # one of another product on the same authentication server
SCOPES = (API_SCOPE, OTHER_SCOPE)
TOKEN_SECONDS = 3600


class Refused(ValueError):
    """A form or control request the office cannot follow: the field, and a sentence for the person."""

    def __init__(self, *, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True)
class Session:
    """Whom a living access token speaks for, and with which scopes."""

    client: sqlite3.Row
    scopes: frozenset[str]

    @property
    def company_id(self) -> int:
        return int(self.client["company_id"])

    @property
    def company_name(self) -> str:
        return COMPANIES[self.company_id]


class Grants:
    """Reads and changes the kept state. A token stands for itself until it expires, unless a switch says otherwise."""

    def __init__(self, kit: Kit) -> None:
        self.kit = kit
        self._store = kit.store

    def reset(self) -> None:
        """Nobody was ever let in: the clients are the customers' own, nobody else holds them."""
        self._store.write("DELETE FROM clients")  # and with them their tokens

    @property
    def addresses(self) -> dict[str, str]:
        """What the administrator tells a customer: where the API is, where the authentication server, and without TLS."""
        doors = self.kit.doors
        return {
            "api_url": f"{doors['api'].origin}/api",
            "auth_url": doors["identity"].origin,
            "plain_url": f"{doors['plain'].origin}/api",
        }

    def fingerprints(self) -> dict[str, str]:
        """SHA-256 of the certificate that each door with TLS serves now."""
        return {name: d.certificate.fingerprint for name, d in self.kit.doors.items() if d.certificate is not None}

    def certificate(self, door: str) -> str:
        """The certificate itself, PEM. Raises Refused."""
        self._known(door)
        certificate = self.kit.doors[door].certificate
        return certificate.pem if certificate else ""

    def renew_certificate(self, door: str) -> None:
        """Serve a new one from now on. Raises Refused."""
        self._known(door)
        self.kit.doors[door].renew_certificate()

    def _known(self, door: str) -> None:
        if door not in (names := self.fingerprints()):
            raise Refused(field="door", message=f"The doors with a certificate are {' and '.join(names)}.")

    # -- clients ---------------------------------------------------------------------------------------------------

    def clients(self) -> list[sqlite3.Row]:
        return self._store.rows("SELECT * FROM clients ORDER BY created_at, id")

    def client(self, client_id: str) -> sqlite3.Row | None:
        return self._store.row("SELECT * FROM clients WHERE id = ?", client_id)

    def add_client(self, company_id: int, *, name: str, scopes: Collection[str] = (API_SCOPE,)) -> str:
        """Generate a client for a company; its secret is drawn at random. Returns the client id. Raises Refused."""
        if company_id not in COMPANIES:
            raise Refused(field="company", message="Choose a company.")
        name = name.strip()
        if not name or len(name) > 80:
            raise Refused(field="name", message="Give a name of at most 80 characters.")
        client_id = f"pa-{secrets.token_hex(6)}"
        sql = "INSERT INTO clients (id, company_id, name, secret, scopes, created_at) VALUES (?, ?, ?, ?, ?, ?)"
        values = (name, secrets.token_urlsafe(24), _allowed(scopes), self.kit.clock.now())
        self._store.write(sql, client_id, company_id, *values)
        return client_id

    def allow_scopes(self, client_id: str, scopes: Collection[str]) -> None:
        self._store.write("UPDATE clients SET scopes = ? WHERE id = ?", _allowed(scopes), client_id)

    def renew_secret(self, client_id: str) -> None:
        """Whether two secrets can overlap is unknown; here the old one ends at once."""
        self._store.write("UPDATE clients SET secret = ? WHERE id = ?", secrets.token_urlsafe(24), client_id)

    def enable(self, client_id: str, enabled: bool) -> None:
        """A disabled client gets no new token; what becomes of those it has is a switch."""
        disabled_at = None if enabled else self.kit.clock.now()
        self._store.write("UPDATE clients SET disabled_at = ? WHERE id = ?", disabled_at, client_id)

    # -- access tokens ---------------------------------------------------------------------------------------------

    def issue_token(self, client: sqlite3.Row, scope: str) -> str:
        """A new access token; earlier ones live on. It is good at every door of the API."""
        now = self.kit.clock.now()
        identity = self.kit.doors["identity"].origin
        token = _signed(
            {
                "iss": identity,
                "aud": f"{identity}/resources",
                "client_id": client["id"],
                "scope": scope.split(),
                "nbf": int(now),
                "exp": int(now) + TOKEN_SECONDS,
                "jti": secrets.token_hex(8),
            }
        )
        with self._store.transaction():
            self._store.write("DELETE FROM tokens WHERE expires_at < ?", now - 24 * TOKEN_SECONDS)
            sql = "INSERT INTO tokens (digest, client_id, scope, expires_at) VALUES (?, ?, ?, ?)"
            self._store.write(sql, _digest(token), client["id"], scope, now + TOKEN_SECONDS)
        return token

    def session(self, token: str) -> Session | None:
        """Whom this token speaks for; None when it is unknown, expired, or ended with its client."""
        sql = "SELECT * FROM tokens WHERE digest = ? AND expires_at > ?"
        row = self._store.row(sql, _digest(token), self.kit.clock.now())
        client = None if row is None else self.client(row["client_id"])
        if row is None or client is None or (client["disabled_at"] is not None and not self._outlive):
            return None
        return Session(client, frozenset(row["scope"].split()))

    def count_live_tokens(self) -> int:
        """How many access tokens would be accepted now."""
        sql = """SELECT count(*) FROM tokens JOIN clients ON clients.id = client_id
            WHERE expires_at > ? AND (disabled_at IS NULL OR ?)"""
        row = self._store.row(sql, self.kit.clock.now(), self._outlive)
        return 0 if row is None else int(row[0])

    @property
    def _outlive(self) -> bool:
        return self.kit.switches["disabled_client_tokens"] == "live"


def _allowed(scopes: Collection[str]) -> str:
    if not scopes or not set(scopes) <= set(SCOPES):
        raise Refused(field="scopes", message=f"Choose among {' and '.join(SCOPES)}.")
    return " ".join(scope for scope in SCOPES if scope in scopes)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _signed(claims: Mapping[str, object]) -> str:
    """Something that looks like a signed token: header, claims and a random signature."""
    parts = [json.dumps(part, separators=(",", ":")).encode() for part in ({"alg": "RS256", "typ": "JWT"}, claims)]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in [*parts, secrets.token_bytes(64)])
