"""What the database knows of a session by itself, as defaults of columns: the clock, and whose scope was entered.

Plain `Func`s, so that a migration holds the SQL itself and not a name of ours.
"""

from __future__ import annotations

from django.db.models import BigIntegerField, CharField, DateTimeField, Func

from connections.tenancy.scope import SYSTEM


def clock_timestamp() -> Func:
    """The time now, not the transaction's beginning."""
    return Func(template="clock_timestamp()", output_field=DateTimeField())


def session_person() -> Func:
    """The id of the person whose scope the session has entered, NULL for nobody's."""
    return Func(template="NULLIF(current_setting('portal.user_id', true), '')::bigint", output_field=BigIntegerField())


def session_person_name() -> Func:
    """How that person is named in audit trails; the portal itself where it is nobody."""
    return Func(
        template="coalesce(NULLIF(current_setting('portal.user_name', true), ''),"
        f" 'person ' || NULLIF(current_setting('portal.user_id', true), ''), '{SYSTEM.name}')",
        output_field=CharField(),
    )
