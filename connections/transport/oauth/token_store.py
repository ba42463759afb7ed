"""The row that stores a connection's token pair: who requests the next one, what came of it, how long a failure holds.

All times are the database's own, so that neither a clock that jumps nor two machines that disagree shorten or stretch a
token's life. Functions here that write commit at once, each in a transaction of its own. `read`, and those that only open
or compare, run in the caller's transaction.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.db import connection as database
from django.db import transaction
from django.db.models import DateTimeField, F, Func, Max, Q
from django.db.models.functions import Now

from connections.spec.errors import CallFailed, Rejected, Unauthorized, Unavailable, Unreadable
from connections.tenancy.scope import tenant_scope
from connections.transport import clock, faults
from connections.transport.doubtful_refusals import CONFIRMED_AFTER
from connections.transport.oauth.token import AccessToken, RequestFingerprint, TokenResponse
from connections.vault import sealing
from connections.vault.keys import KeyUnavailable
from connections.vault.models import ClientRegistration, Connection, Credential, Grant
from connections.vault.secret import BoundSecret

CLAIM_SECONDS = 20.0  # after these, another caller takes over the claim of one that has not come back
ANSWER_WITHIN_SECONDS = 18.5  # of a claim, in which the answer must be there; the rest is for storing it
EXCHANGE_CLAIM = "trade-"  # the claim of a caller that exchanges a code begins so, also in rows of older releases
FAILURE_HOLDS_SECONDS = 5.0  # callers share the outcome of a failed request for so long instead of asking again
LONGEST_HOLD_SECONDS = 60.0  # what that grows to while the token endpoint is in trouble
# Of tokens that live for less than a minute, one a second: a short life is believed, and still no storm of requests.
SHORT_LIFE_SECONDS, SHORT_LIFE_PAUSE_SECONDS = 60.0, 1.0
REPLACED_BEFORE_END = timedelta(minutes=5)


@contextmanager
def durable(connection: Connection) -> Iterator[None]:
    """The block is committed when it ends, whatever the caller does afterwards. Raises RuntimeError inside a transaction:
    no token may be requested there, as a rollback would take back the claim and leave the request.
    """
    with transaction.atomic(durable=True), tenant_scope(connection.tenant_id):
        yield


def read(connection: Connection) -> tuple[Grant, datetime]:
    """The connection's row, inserted where there was none, and the database's time. Needs the tenant's scope."""
    rows = Grant.objects.filter(connection_id=connection.id)
    rows = rows.annotate(read_at=Func(function="clock_timestamp", output_field=DateTimeField()))
    row = rows.first()
    if row is None:
        new_row = Grant(tenant_id=connection.tenant_id, connection_id=connection.id)
        Grant.objects.bulk_create([new_row], ignore_conflicts=True)
        row = rows.get()
    # What the pair is sealed for depends on the connection in the caller's hands, whose addresses the request went to.
    row.connection = connection
    return row, row.read_at


def open_access_token(row: Grant, now: datetime) -> AccessToken | None:
    """The stored token, None if it has ended. Needs the tenant's scope. Raises Unauthorized where it does not open."""
    if row.access_ciphertext is None or row.expires_at is None or row.issued_at is None or now >= row.expires_at:
        return None
    secret = _unsealed(row, "access_ciphertext")
    return _access_token(secret, row.token_type, row.generation, row.issued_at, row.expires_at, now)


def _access_token(
    secret: BoundSecret, kind: str, generation: int, issued_at: datetime, expires_at: datetime, now: datetime
) -> AccessToken:
    """It is due for replacement five minutes before its end, or a tenth of a short life, but not in its last second."""
    life = expires_at - issued_at
    margin = min(REPLACED_BEFORE_END, max(life / 10, min(timedelta(seconds=1), life / 2)))
    ends = time.monotonic() + (expires_at - now).total_seconds()
    return AccessToken(secret, kind, generation, issued_at, ends - margin.total_seconds(), ends)


def open_refresh_token(row: Grant) -> BoundSecret | None:
    """The stored refresh token, None where there is none. In the tenant's scope. Raises Unauthorized if it does not open."""
    if row.refresh_ciphertext is None:
        return None
    return _unsealed(row, "refresh_ciphertext")


def _unsealed(row: Grant, field: str) -> BoundSecret:
    try:
        return sealing.unseal(row, field)
    except (sealing.Unopenable, KeyUnavailable):
        raise Unauthorized(faults.NO_KEY) from None


def request_fingerprint(connection: Connection) -> RequestFingerprint:
    """What a token request would be made with now. Needs the tenant's scope."""
    registrations = ClientRegistration.objects.filter(provider=connection.provider, environment=connection.environment)
    ours = registrations.values_list("client_id", "secret_ciphertext").first()
    theirs = Credential.objects.filter(connection_id=connection.id).order_by("name").values_list("name", "ciphertext")
    settings = Connection.objects.filter(id=connection.id).values_list("settings", flat=True).first()
    # Of ciphertexts: a digest of the secrets themselves could be guessed at.
    parts = [ours and (ours[0], bytes(ours[1])), [(name, bytes(sealed)) for name, sealed in theirs], settings]
    return RequestFingerprint(ours[0] if ours else "", hashlib.sha256(repr(parts).encode()).hexdigest())


def has_worked(connection: Connection) -> bool:
    """Whether a token was given for what is stored now: a key that never opened anything was not taken back."""
    with tenant_scope(connection.tenant_id):
        issued_at = Grant.objects.filter(connection_id=connection.id).values_list("issued_at", flat=True).first()
        changed_at = Credential.objects.filter(connection_id=connection.id).aggregate(at=Max("changed_at"))["at"]
    return issued_at is not None and (changed_at is None or issued_at > changed_at)


def claim(
    connection: Connection, claim_id: str, spent: int, *, forced: bool, changed: RequestFingerprint | None
) -> bool:
    """Whether the next token request is the caller's own; within `durable`.

    A claim that is over belonged to a caller that died: it is taken over. A failure holds for `FAILURE_HOLDS_SECONDS`, twice
    as long with every further trouble in a row; a refusal of the credential, until it has changed. `forced` claims all the
    same, but never before the provider allows it. `changed`: the present fingerprint, where that was looked up.
    """
    with database.cursor() as cursor:
        cursor.execute(
            # A claim that ran out is a request whose answer nobody has seen.
            "UPDATE vault_grant SET uncertain_at = CASE WHEN claimed_by = '' THEN uncertain_at"
            " ELSE coalesce(uncertain_at, clock_timestamp()) END,"
            " claimed_by = %(me)s, claimed_until = clock_timestamp() + make_interval(secs => %(claim)s)"
            " WHERE connection_id = %(connection)s AND generation <= %(spent)s"
            " AND (claimed_until IS NULL OR claimed_until < clock_timestamp())"
            " AND (ask_after IS NULL OR ask_after <= clock_timestamp())"
            " AND (expires_at IS NULL OR issued_at IS NULL OR expires_at - issued_at >= make_interval(secs => %(short)s)"
            " OR issued_at <= clock_timestamp() - make_interval(secs => %(pause)s))"
            " AND (%(forced)s OR refused_at IS NULL"
            " OR (refused_with = '' AND refused_at < clock_timestamp() - make_interval(secs =>"
            " least(%(hold)s * power(2, greatest(failures - 1, 0)), greatest(%(hold)s, %(longest)s))))"
            " OR (refused_with <> '' AND refused_with <> %(given)s))",
            {
                "me": claim_id,
                "claim": CLAIM_SECONDS,
                "connection": connection.id,
                "spent": spent,
                "forced": forced,
                "hold": FAILURE_HOLDS_SECONDS,
                "longest": LONGEST_HOLD_SECONDS,
                "short": SHORT_LIFE_SECONDS,
                "pause": SHORT_LIFE_PAUSE_SECONDS,
                "given": changed.digest if changed else None,
            },
        )
        return bool(cursor.rowcount == 1)


def is_claimed(connection: Connection) -> bool:
    """Whether a token request is under way."""
    with tenant_scope(connection.tenant_id):
        row, now = read(connection)
    return row.claimed_until is not None and row.claimed_until > now


def seize_claim(connection: Connection, claim_id: str) -> Grant:
    """Take the claim, whoever has it; returns the row. A person connected anew, so no other request is of use any more."""
    with durable(connection):
        row, now = read(connection)
        is_unseen = bool(row.claimed_by)  # a request whose answer nobody has seen
        Grant.objects.filter(id=row.id).update(
            claimed_by=claim_id,
            claimed_until=Now() + timedelta(seconds=CLAIM_SECONDS),
            uncertain_at=row.uncertain_at or (now if is_unseen else None),
        )
        row.refresh_from_db()
    return row


def failure_holds_until(row: Grant) -> datetime | None:
    """Until when nobody asks again, by the database's clock; None where a person must do something first."""
    if row.refused_with or row.refused_at is None:
        return None
    hold = FAILURE_HOLDS_SECONDS * 2 ** max(row.failures - 1, 0)
    until = row.refused_at + timedelta(seconds=min(hold, max(FAILURE_HOLDS_SECONDS, LONGEST_HOLD_SECONDS)))
    return max(until, row.ask_after) if row.ask_after else until


def store(
    connection: Connection, row: Grant, claim_id: str, fingerprint: RequestFingerprint, response: TokenResponse
) -> AccessToken | None:
    """Commit what an answer brought, by compare-and-set; None where another caller's newer answer counts.

    A claim that ran out meanwhile does not matter as long as nothing newer was stored: a pair that a provider gave once
    is never thrown away for being late. It gives way only to a claim that was seized.
    A refresh answer without a refresh token leaves the old one. Of an answer whose access token is unusable, or of a
    refusal, the refresh token is stored all the same; `release_claim` leaves the failure. Raises Unauthorized without a key
    to seal with.
    """
    values: dict[str, object] = {"uncertain_at": None, "refresh_refused_at": None}
    try:
        with durable(connection):
            _row, now = read(connection)
            # Counted from the claim, which is older than the request.
            issued_at = min(now, row.claimed_until - timedelta(seconds=CLAIM_SECONDS)) if row.claimed_until else now
            if response.refresh is not None:
                values |= sealing.seal(row, "refresh_ciphertext", response.refresh)
                values |= {
                    "refresh_issued_at": issued_at,
                    "client_id": fingerprint.client_id,
                }
            if response.secret is not None:
                values |= sealing.seal(row, "access_ciphertext", response.secret)
                values |= {
                    "claimed_by": "",
                    "claimed_until": None,
                    "token_type": response.kind,
                    "scope": response.scope,
                    "issued_at": issued_at,
                    "expires_at": issued_at + response.lifetime,
                    "generation": row.generation + 1,
                    "failures": 0,
                    "ask_after": None,
                    "refused_at": None,
                    "refused_fault": "",
                    "refused_entry": None,
                    "refused_with": "",
                }
            not_seized = Q(claimed_by=claim_id) | ~Q(claimed_by__startswith=EXCHANGE_CLAIM)
            is_stored = bool(Grant.objects.filter(not_seized, id=row.id, generation=row.generation).update(**values))
    except KeyUnavailable:
        response.entry.fault = faults.NO_KEY.code
        lost = Unauthorized(faults.NO_KEY, entry_id=response.entry.id)
        lost.may_have_arrived = True
        raise lost from None
    if not is_stored or response.secret is None:
        return None
    secret = sealing.bound(row, "access_ciphertext", response.secret)
    return _access_token(secret, response.kind, row.generation + 1, issued_at, issued_at + response.lifetime, now)


def release_claim(
    connection: Connection,
    row: Grant,
    claim_id: str,
    failure: CallFailed | None,
    *,
    blocked_fingerprint: RequestFingerprint | None = None,
) -> bool:
    """End our claim and leave the failure for those who wait, unless it says nothing about the next request.

    `failure=None`: something of our own broke, and nobody knows how far the request came. `blocked_fingerprint`: nobody
    asks again before a request would have another fingerprint. Returns False where the claim was another caller's already.
    """
    is_shared = failure is not None and (failure.entry_id is not None or not isinstance(failure, Unavailable))
    is_trouble = isinstance(failure, Unavailable | Unreadable | Rejected)
    wait = (failure.retry_at - clock.now()).total_seconds() if isinstance(failure, Unavailable) else 0.0
    with durable(connection), database.cursor() as cursor:
        cursor.execute(
            "UPDATE vault_grant SET claimed_by = '', claimed_until = NULL,"
            " uncertain_at = CASE WHEN %(lost)s THEN coalesce(uncertain_at, clock_timestamp()) ELSE uncertain_at END,"
            " refresh_refused_at = CASE WHEN %(once)s THEN coalesce(refresh_refused_at, clock_timestamp())"
            " ELSE refresh_refused_at END,"
            " failures = CASE WHEN NOT %(shared)s THEN failures WHEN %(trouble)s THEN least(failures + 1, 99)"
            " ELSE 0 END,"
            " ask_after = CASE WHEN %(shared)s AND %(wait)s > 0"
            " THEN clock_timestamp() + make_interval(secs => %(wait)s) END,"
            " refused_at = CASE WHEN %(shared)s THEN clock_timestamp() END, refused_fault = %(fault)s,"
            " refused_entry = %(entry)s, refused_with = %(given)s"
            " WHERE id = %(row)s AND claimed_by = %(me)s",
            {
                "lost": failure is None or failure.may_have_arrived,
                "shared": is_shared,
                "trouble": is_trouble,
                "once": failure is not None and failure.fault is faults.REFUSED_ONCE and wait > 0,
                "wait": wait,
                "fault": failure.fault.code if failure and is_shared else "",
                "entry": failure.entry_id if failure and is_shared else None,
                "given": blocked_fingerprint.digest if blocked_fingerprint and is_shared else "",
                "row": row.id,
                "me": claim_id,
            },
        )
        return bool(cursor.rowcount == 1)


def is_refused_again(row: Grant) -> bool:
    """Whether the stored refresh token was refused before, long enough ago."""
    with tenant_scope(row.tenant_id):
        now = read(row.connection)[1]
    return row.refresh_refused_at is not None and row.refresh_refused_at <= now - CONFIRMED_AFTER * 0.9


def newer_token(connection: Connection, generation: int) -> AccessToken | None:
    """The stored token, None if it has ended or is not newer than that generation. Raises Unauthorized."""
    with tenant_scope(connection.tenant_id):
        row, now = read(connection)
        return open_access_token(row, now) if row.generation > generation else None


def has_pair(connection: Connection) -> bool:
    """Whether any token is stored. Needs the tenant's scope."""
    rows = Grant.objects.filter(connection_id=connection.id)
    return rows.filter(Q(access_ciphertext__isnull=False) | Q(refresh_ciphertext__isnull=False)).exists()


def has_refresh_token(connection: Connection) -> bool:
    """Needs the tenant's scope."""
    return Grant.objects.filter(connection_id=connection.id, refresh_ciphertext__isnull=False).exists()


def destroy_access_token(connection: Connection) -> None:
    """Destroy the stored access token alone; what renews it stays. In the caller's transaction and scope."""
    Grant.objects.filter(connection_id=connection.id).update(access_ciphertext=None, expires_at=None)


def destroy_pair(connection: Connection) -> None:
    """Destroy the stored pair, in the caller's transaction if there is one. A request under way can store nothing any more."""
    with tenant_scope(connection.tenant_id):
        row, _now = read(connection)
        Grant.objects.filter(id=row.id).update(
            access_ciphertext=None,
            refresh_ciphertext=None,
            expires_at=None,
            refresh_issued_at=None,
            uncertain_at=None,
            refresh_refused_at=None,
            scope="",
            client_id="",
            generation=F("generation") + 1,
            claimed_by="",
            claimed_until=None,
            failures=0,
            ask_after=None,
            refused_at=None,
            refused_with="",
            refusals=0,
            wait_until=None,
            wait_with="",
            wait_operation="",
            wait_is_alone=False,
        )
