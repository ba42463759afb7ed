"""Procountor's date-times, which carry no zone."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

FINLAND = ZoneInfo("Europe/Helsinki")  # Finnish local time: inferred


def instant(value: Any) -> datetime | None:
    """None for what is no moment. Of an hour that comes twice in autumn it is the first."""
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=FINLAND)
