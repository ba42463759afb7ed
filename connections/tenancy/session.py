"""What the database knows of a session by itself, as defaults of columns: the clock, and whose scope was entered."""

from __future__ import annotations

from django.db.models import BigIntegerField, CharField, DateTimeField, Func

from connections.tenancy.scope import SYSTEM


class ClockTimestamp(Func):
    """The time now, not the transaction's beginning."""

    template = "clock_timestamp()"
    output_field = DateTimeField()


class SessionPerson(Func):
    """The id of the person whose scope the session has entered, NULL for nobody's."""

    template = "NULLIF(current_setting('portal.user_id', true), '')::bigint"
    output_field = BigIntegerField()


class SessionPersonName(Func):
    """How that person is named in audit trails; the portal itself where it is nobody."""

    template = (
        "coalesce(NULLIF(current_setting('portal.user_name', true), ''),"
        " 'person ' || NULLIF(current_setting('portal.user_id', true), ''),"
        f" '{SYSTEM.name}')"
    )
    output_field = CharField()
