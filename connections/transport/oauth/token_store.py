"""The row that keeps a connection's token pair: who asks for the next one, what came of it, how long that stands.

All times are the database's own, so that neither a clock that jumps nor two machines that disagree shorten or stretch a
token's life. Everything here but `read`, `opened` and `given` commits at once, in a transaction of its own.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection as database
from django.db import transaction
from django.db.models import DateTimeField, F, Func, Q
from django.db.models.functions import Now

from connections.spec.errors import CallFailed, Rejected, Unauthorized, Unavailable, Unreadable
from connections.tenancy.scope import tenant_scope
from connections.transport import error_mapping, faults
from connections.transport.limits import clock
from connections.transport.oauth.token_endpoint import TokenResponse
from connections.vault import sealing
from connections.vault.keys import KeyUnavailable
from connections.vault.models import ClientRegistration, Connection, Credential, Grant
from connections.vault.secret import BoundSecret

CLAIM = 20.0  # seconds
ASKED_WITHIN = 18.5  # seconds of a claim in which the answer must be there; the rest is for storing it
EXCHANGE_CLAIM = "trade-"  # how a claim begins that was seized
REFUSAL_HOLDS = 5.0  # seconds in which callers share the outcome of a failed request instead of asking again
LONGEST_HOLD = 60.0  # what that grows to while the token endpoint is in trouble
# Of tokens that live for less than a minute, one a second: a short life is believed, and still no storm of requests.
SHORT_LIFE, SHORT_PAUSE = 60.0, 1.0  # seconds


@dataclass(frozen=True)
class AccessToken:
    """A token that is good until `ends`, and due to be replaced from `due` on: seconds of this process's steady clock.

    `generation` tells it from the ones before and after.
    """

    secret: BoundSecret
    kind: str
    generation: int
    issued_at: datetime
    due: float
    ends: float

    @property
    def is_due(self) -> bool:
        return time.monotonic() >= self.due

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self.ends


@dataclass(frozen=True)
class RequestFingerprint:
    """What a token request is made with: whose client, and a digest that moves with any part of it."""

    client_id: str
    digest: str


@contextmanager
def durable(connection: Connection) -> Iterator[None]:
    """Committed when the block ends, whatever the caller does afterwards. Raises RuntimeError inside a transaction:
    nothing may be asked for there, as a rollback would take back the claim and leave the request.
    """
    with transaction.atomic(durable=True), tenant_scope(connection.tenant_id):
        yield


def read(connection: Connection) -> tuple[Grant, datetime]:
    """The row, made where there was none, and the database's time. Needs the tenant's scope."""
    rows = Grant.objects.filter(connection_id=connection.id)
    told = rows.annotate(told_at=Func(function="clock_timestamp", output_field=DateTimeField()))
    found = told.first()
    if found is None:
        made = Grant(tenant_id=connection.tenant_id, connection_id=connection.id)
        Grant.objects.bulk_create([made], ignore_conflicts=True)
        found = told.get()
    # What the pair is sealed for goes by the connection in the caller's hands, whose addresses the request went to.
    found.connection = connection
    return found, found.told_at


def opened(row: Grant, now: datetime) -> AccessToken | None:
    """The stored token, if it has not ended. Needs the tenant's scope. Raises Unauthorized where it does not open."""
    if row.access_ciphertext is None or row.expires_at is None or row.issued_at is None or now >= row.expires_at:
        return None
    secret = _unsealed(row, "access_ciphertext")
    return _living(secret, row.token_type, row.generation, row.issued_at, row.expires_at, now)


def _living(
    secret: BoundSecret, kind: str, generation: int, issued_at: datetime, expires_at: datetime, now: datetime
) -> AccessToken:
    """To be replaced five minutes before its end, or a tenth of a short life, but not in its last second."""
    life = expires_at - issued_at
    margin = min(timedelta(minutes=5), max(life / 10, min(timedelta(seconds=1), life / 2)))
    ends = time.monotonic() + (expires_at - now).total_seconds()
    return AccessToken(secret, kind, generation, issued_at, ends - margin.total_seconds(), ends)


def refresh_token(row: Grant) -> BoundSecret | None:
    """The stored refresh token. Needs the tenant's scope. Raises Unauthorized where it does not open."""
    if row.refresh_ciphertext is None:
        return None
    return _unsealed(row, "refresh_ciphertext")


def _unsealed(row: Grant, field: str) -> BoundSecret:
    try:
        return sealing.unseal(row, field)
    except (sealing.Unopenable, KeyUnavailable):
        raise Unauthorized(faults.NO_KEY) from None


def given(connection: Connection) -> RequestFingerprint:
    """What a request would be made with now. Needs the tenant's scope."""
    ours = ClientRegistration.objects.filter(provider=connection.provider, environment=connection.environment)
    ours_is = ours.values_list("client_id", "secret_ciphertext").first()
    theirs = Credential.objects.filter(connection_id=connection.id).order_by("name").values_list("name", "ciphertext")
    typed = Connection.objects.filter(id=connection.id).values_list("settings", flat=True).first()
    # Of ciphertexts: a digest of the secrets themselves could be guessed at.
    told = [ours_is and (ours_is[0], bytes(ours_is[1])), [(name, bytes(sealed)) for name, sealed in theirs], typed]
    return RequestFingerprint(ours_is[0] if ours_is else "", hashlib.sha256(repr(told).encode()).hexdigest())


def claim(connection: Connection, me: str, spent: int, *, forced: bool, changed: RequestFingerprint | None) -> bool:
    """Whether the next request is ours; within `durable`.

    A claim that is over belonged to a caller that died: it is taken over. A failure holds for `REFUSAL_HOLDS`, twice as
    long with every further trouble in a row; one of what was asked with, until something else can be asked with.
    `forced` asks all the same, but never before the provider allows it. `changed`: what is there to ask with now, where
    that was looked up.
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
                "me": me,
                "claim": CLAIM,
                "connection": connection.id,
                "spent": spent,
                "forced": forced,
                "hold": REFUSAL_HOLDS,
                "longest": LONGEST_HOLD,
                "short": SHORT_LIFE,
                "pause": SHORT_PAUSE,
                "given": changed.digest if changed else None,
            },
        )
        return bool(cursor.rowcount == 1)


def is_claimed(connection: Connection) -> bool:
    """Whether somebody is asking now."""
    with tenant_scope(connection.tenant_id):
        row, now = read(connection)
    return row.claimed_until is not None and row.claimed_until > now


def seize(connection: Connection, me: str) -> Grant:
    """The claim, whoever has it: a person connected anew, and what others are asking for is of no use any more."""
    with durable(connection):
        row, now = read(connection)
        is_unseen = bool(row.claimed_by)  # a request whose answer nobody has seen
        Grant.objects.filter(id=row.id).update(
            claimed_by=me,
            claimed_until=Now() + timedelta(seconds=CLAIM),
            uncertain_at=row.uncertain_at or (now if is_unseen else None),
        )
        row.refresh_from_db()
    return row


def held_until(row: Grant) -> datetime | None:
    """Until when nobody asks again, by the database's clock; None where a person must do something first."""
    if row.refused_with or row.refused_at is None:
        return None
    hold = REFUSAL_HOLDS * 2 ** max(row.failures - 1, 0)
    until = row.refused_at + timedelta(seconds=min(hold, max(REFUSAL_HOLDS, LONGEST_HOLD)))
    return max(until, row.ask_after) if row.ask_after else until


def keep(
    connection: Connection, row: Grant, me: str, fingerprint: RequestFingerprint, asked: TokenResponse
) -> AccessToken | None:
    """Commit what an answer brought, by compare-and-set; None where somebody else's newer answer counts.

    A claim that ran out meanwhile does not matter as long as nothing newer was stored: a pair that a provider gave once
    is never thrown away for being late. Only to a claim that was seized it gives way.
    A refresh answer without a refresh token keeps the old one. An answer whose access token is unusable, or a refusal,
    still brings its refresh token home; its trouble is left by `give_back`. Raises Unauthorized without a key to seal with.
    """
    values: dict[str, object] = {"uncertain_at": None, "refresh_refused_at": None}
    try:
        with durable(connection):
            _row, now = read(connection)
            # Counted from the claim, which is older than the request.
            issued_at = min(now, row.claimed_until - timedelta(seconds=CLAIM)) if row.claimed_until else now
            if asked.refresh is not None:
                values |= sealing.seal(row, "refresh_ciphertext", asked.refresh)
                values |= {
                    "refresh_issued_at": issued_at,
                    "client_id": fingerprint.client_id,
                }
            if asked.secret is not None:
                values |= sealing.seal(row, "access_ciphertext", asked.secret)
                values |= {
                    "claimed_by": "",
                    "claimed_until": None,
                    "token_type": asked.kind,
                    "scope": asked.scope,
                    "issued_at": issued_at,
                    "expires_at": issued_at + asked.lifetime,
                    "generation": row.generation + 1,
                    "failures": 0,
                    "ask_after": None,
                    "refused_at": None,
                    "refused_fault": "",
                    "refused_entry": None,
                    "refused_with": "",
                }
            not_seized = Q(claimed_by=me) | ~Q(claimed_by__startswith=EXCHANGE_CLAIM)
            is_stored = bool(Grant.objects.filter(not_seized, id=row.id, generation=row.generation).update(**values))
    except KeyUnavailable:
        asked.entry.fault = faults.NO_KEY.code
        lost = Unauthorized(faults.NO_KEY, entry_id=asked.entry.id)
        lost.may_have_arrived = True
        raise lost from None
    if not is_stored or asked.secret is None:
        return None
    secret = sealing.bound(row, "access_ciphertext", asked.secret)
    return _living(secret, asked.kind, row.generation + 1, issued_at, issued_at + asked.lifetime, now)


def give_back(
    connection: Connection, row: Grant, me: str, failed: CallFailed | None, *, stands: RequestFingerprint | None = None
) -> bool:
    """End our claim and leave the failure for those who wait, unless it says nothing about the next request.

    `failed=None`: something of our own broke, and nobody knows how far the request came. `stands`: the refusal holds
    until something else than this can be asked with. False where the claim was somebody else's already.
    """
    is_shared = failed is not None and (failed.entry_id is not None or not isinstance(failed, Unavailable))
    is_trouble = isinstance(failed, Unavailable | Unreadable | Rejected)
    wait = (failed.retry_at - clock.now()).total_seconds() if isinstance(failed, Unavailable) else 0.0
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
                "lost": failed is None or failed.may_have_arrived,
                "shared": is_shared,
                "trouble": is_trouble,
                "once": failed is not None and failed.fault is faults.REFUSED_ONCE and wait > 0,
                "wait": wait,
                "fault": failed.fault.code if failed and is_shared else "",
                "entry": failed.entry_id if failed and is_shared else None,
                "given": stands.digest if stands and is_shared else "",
                "row": row.id,
                "me": me,
            },
        )
        return bool(cursor.rowcount == 1)


def is_refused_again(row: Grant) -> bool:
    """Whether the stored refresh token was refused before, long enough ago."""
    with tenant_scope(row.tenant_id):
        now = read(row.connection)[1]
    return row.refresh_refused_at is not None and row.refresh_refused_at <= now - error_mapping.CONFIRMED_AFTER * 0.9


def newer(connection: Connection, generation: int) -> AccessToken | None:
    """The stored token, if it has not ended and is newer than that generation. Raises Unauthorized."""
    with tenant_scope(connection.tenant_id):
        row, now = read(connection)
        return opened(row, now) if row.generation > generation else None


def forget(connection: Connection) -> None:
    """Destroy the stored pair, in the caller's transaction if there is one. A request under way is fenced off."""
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
