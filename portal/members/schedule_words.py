"""A schedule as a sentence, for customers and for staff."""

from __future__ import annotations

from django.utils.dates import WEEKDAYS
from django.utils.text import get_text_list
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from connections.spec.text import isolate
from connections.spec.times import format_time_of_day
from connections.sync.models import Schedule, ScheduleKind

WORKING_DAYS = [1, 2, 3, 4, 5]


def schedule_words(schedule: Schedule, time_zone: str) -> str:
    """`Every 6 hours.` or `At 06:00 and 18:00, Monday to Friday, in the time zone Europe/Helsinki.`"""
    if schedule.kind == ScheduleKind.HAND:
        return _("Only by hand.")
    if schedule.kind == ScheduleKind.INTERVAL:
        hours = schedule.every_hours
        return ngettext("Every hour.", "Every %(hours)s hours.", hours) % {"hours": hours}
    return _("At %(times)s, %(days)s, in the time zone %(zone)s.") % {
        "times": isolate(get_text_list([format_time_of_day(each) for each in schedule.times_of_day], _("and"))),
        "days": days_words(schedule.weekdays),
        "zone": isolate(time_zone),
    }


def days_words(weekdays: list[int]) -> str:
    if not weekdays or len(weekdays) == len(WEEKDAYS):
        return _("every day")
    if weekdays == WORKING_DAYS:
        return _("Monday to Friday")
    return get_text_list([str(WEEKDAYS[day - 1]) for day in weekdays], _("and"))
