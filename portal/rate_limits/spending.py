"""Using a limit: one statement counts every rate of it, in the database's time; all of them, or none where one is reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from psycopg import Rollback

from connections.spec.text import duration
from connections.spec.times import format_time
from portal.rate_limits import database
from portal.rate_limits.limits import Limit, Rate, Scope
from portal.rate_limits.models import Usage

TABLE = Usage._meta.db_table

# Ordered by key, so that two who use the same rates take the rows in the same order and never wait for each other.
SPEND = (
    f"INSERT INTO {TABLE} AS used (key, count, opens_at)"  # noqa: S608  # nosec B608  (constants)
    " SELECT key, 1, clock_timestamp() + make_interval(secs => seconds)"
    " FROM unnest(%s::text[], %s::int[]) AS wanted (key, seconds) ORDER BY key"
    " ON CONFLICT (key) DO UPDATE SET"
    " count = CASE WHEN used.opens_at <= clock_timestamp() THEN 1 ELSE used.count + 1 END,"
    " opens_at = CASE WHEN used.opens_at <= clock_timestamp() THEN excluded.opens_at ELSE used.opens_at END"
    " RETURNING key, count, opens_at"
)
REFUND = f"UPDATE {TABLE} SET count = count - 1 WHERE key = %s AND opens_at = %s AND count > 0"  # noqa: S608  # nosec B608

READABLE = (Scope.PERSON, Scope.TENANT, Scope.CONNECTION, Scope.PORTAL)

WHOSE = {
    Scope.PERSON: _("One person may do this %(times)s within %(span)s."),
    Scope.TENANT: _("One company's people may do this %(times)s within %(span)s."),
    Scope.CONNECTION: _("With one connection this may be done %(times)s within %(span)s."),
    Scope.RECIPIENT: _("With one address this may be done %(times)s within %(span)s."),
    Scope.CLIENT: _("From one network this may be done %(times)s within %(span)s."),
    Scope.CLIENT_AND_RECIPIENT: _("With one address this may be done %(times)s within %(span)s."),
    Scope.CLIENT_AND_PERSON: _("One person may do this %(times)s within %(span)s."),
    Scope.TENANT_AND_RECIPIENT: _("With one address this may be done %(times)s within %(span)s."),
    Scope.BROWSER: _("With one browser this may be done %(times)s within %(span)s."),
    Scope.PORTAL: _("All of the portal's people together may do this %(times)s within %(span)s."),
}


class RateLimited(Exception):
    """A limit is reached; nothing was counted. The text is for the person who asked, in their time zone."""

    def __init__(self, limit: Limit, rate: Rate, opens_at: datetime) -> None:
        super().__init__(limit.name)
        self.limit, self.rate, self.opens_at = limit, rate, opens_at

    @property
    def sentence(self) -> str:
        times = ngettext("once", "%(most)d times", self.rate.most) % {"most": self.rate.most}
        whose = WHOSE[self.rate.scope] % {"times": times, "span": duration(self.rate.seconds)}
        opens = _("It is possible again from %(time)s.") % {"time": format_time(self.opens_at)}
        return f"{self.limit.sentence} {whose} {opens}"

    @property
    def seconds_left(self) -> int:
        return max(int((self.opens_at - timezone.now()).total_seconds()) + 1, 1)

    def __str__(self) -> str:
        return self.sentence


@dataclass(frozen=True)
class Spent:
    """What one use counted, to take it back where it turns out not to be one."""

    rows: tuple[tuple[str, datetime], ...]

    def refund(self) -> None:
        with database.cursor() as cursor:
            for row in self.rows:
                cursor.execute(REFUND, row)


def forget(limit: Limit, subjects: Mapping[Scope, object]) -> None:
    """What these used is as if it had not been, but for rates that others use, too."""
    own = [rate for rate in limit.rates if rate.scope in (Scope.RECIPIENT, Scope.CLIENT_AND_RECIPIENT)]
    with database.cursor() as cursor:
        keys = [key_of(limit, rate, subjects[rate.scope]) for rate in own]
        cursor.execute(f"DELETE FROM {TABLE} WHERE key = ANY (%s)", [keys])  # noqa: S608  # nosec B608  (a constant)


def spend(limit: Limit, subjects: Mapping[Scope, object]) -> Spent:
    """Count one use, at once and for good, outside the caller's transaction. Raises RateLimited, with nothing counted.

    A rate whose scope has no subject (None or "") does not apply: commands of the portal itself act for no person.
    """
    rates = {
        key_of(limit, rate, subject): rate
        for rate in limit.rates
        if (subject := "all" if rate.scope is Scope.PORTAL else subjects.get(rate.scope)) not in (None, "")
    }
    if not rates:
        return Spent(())
    refused: list[RateLimited] = []
    connection = database.connection()
    connection.ensure_connection()
    raw: Any = connection.connection
    with raw.transaction() as counting, connection.cursor() as cursor:
        cursor.execute(SPEND, [list(rates), [rate.seconds for rate in rates.values()]])
        rows = cursor.fetchall()
        refused += [
            RateLimited(limit, rates[key], opens_at) for key, count, opens_at in rows if count > rates[key].most
        ]
        if refused:
            raise Rollback(counting)
    if refused:
        raise max(refused, key=lambda each: each.opens_at)
    with database.cursor() as cursor:
        database.delete_expired(cursor, TABLE, "key", "opens_at")
    return Spent(tuple((key, opens_at) for key, _count, opens_at in rows))


def key_of(limit: Limit, rate: Rate, subject: object) -> str:
    """Addresses and browsers stand in it as keyed hashes."""
    text = str(subject)
    if rate.scope not in READABLE:
        text = salted_hmac("rate limits", text.lower(), algorithm="sha256").hexdigest()
    return f"{limit.name}:{rate.scope.value}:{text}"


def of_connection(tenant_id: UUID, connection_id: object) -> str:
    """The tenant is part of it: whoever names another tenant's connection uses up nothing of theirs."""
    return f"{tenant_id}/{connection_id}"
