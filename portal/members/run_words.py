"""Where a run's time went and how long it may yet take, in words for customers and for staff."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from connections.spec.text import Text, duration
from connections.sync import time_shares
from connections.sync.models import RunState, StreamProgress, SyncRun
from connections.transport.stopwatch import BREAKER, DATABASE, LIMITER, PROVIDER

LONG_QUEUE = timedelta(minutes=1)

SHARES: dict[str, Text] = {
    time_shares.QUEUE: gettext_lazy("waiting for a worker"),
    LIMITER: gettext_lazy("keeping to the provider's limit"),
    BREAKER: gettext_lazy("waiting until the provider is well again"),
    PROVIDER: gettext_lazy("waiting for the provider's answers"),
    DATABASE: gettext_lazy("writing the records"),
    time_shares.OWN: gettext_lazy("our own work"),
    time_shares.PAUSED: gettext_lazy("paused"),
}


@dataclass(frozen=True)
class ShareRow:
    """What a part of the time was spent on; `percent` of all of it, those of a run add up to 100."""

    label: Text
    percent: int


def share_rows(run: SyncRun) -> list[ShareRow]:
    """The largest part first."""
    return [ShareRow(SHARES[share.name], share.percent) for share in time_shares.shares_of(run)]


def outlook(run: SyncRun, streams: Sequence[StreamProgress], now: datetime) -> str:
    """How long it may yet take, or why it does not begin; nothing where there is nothing to say."""
    if run.state == RunState.QUEUED and now - run.queued_at > LONG_QUEUE:
        return _("Others are read before this one; it goes on by itself as soon as it is its turn.")
    left = time_shares.time_left(run, streams, now)
    if left is None:
        return ""
    minutes = round(left / timedelta(minutes=1))
    if minutes < 1:
        return _("It is almost done, at the speed so far.")
    if minutes < 90:
        words = ngettext(
            "About %(count)s minute is left, at the speed so far.",
            "About %(count)s minutes are left, at the speed so far.",
            minutes,
        )
        return words % {"count": minutes}
    hours = round(minutes / 60)
    return ngettext(
        "About %(count)s hour is left, at the speed so far.",
        "About %(count)s hours are left, at the speed so far.",
        hours,
    ) % {"count": hours}


def stuck_words(run: SyncRun, now: datetime) -> str:
    """For staff: what is wrong with a run that does not go on; nothing where it does."""
    if not time_shares.is_stuck(run, now):
        return ""
    if run.state == RunState.WAITING and run.waiting_until is not None and run.waiting_until > now:
        sentence = _("It waits for more than %(time)s. Ask whether anybody has told the customer.")
        return sentence % {"time": duration(time_shares.LONG_WAIT)}
    sentence = _("No worker has taken it up for %(time)s. See whether workers run, and its job.")
    return sentence % {"time": duration(time_shares.STUCK_AFTER)}
