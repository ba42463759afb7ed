"""The form of a schedule: by hand, by an interval or at times of day, and which streams are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import time
from typing import Any, cast

from django import forms
from django.utils.dates import WEEKDAYS
from django.utils.html import format_html
from django.utils.text import capfirst, get_text_list
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from connections.spec.provider import Provider
from connections.spec.streams import Permission
from connections.spec.text import Text, isolate
from connections.sync.models import Schedule, ScheduleKind
from connections.sync.schedule import ScheduleChoice, impossible
from connections.sync.schedule_models import MOST_TIMES

HOURS = (1, 2, 3, 4, 6, 8, 12, 24, 48, 168)
NOT_A_TIME = _("Enter a time of day such as 06:30.")


@dataclass(frozen=True)
class StreamChoice:
    """One of the provider's streams, with the rights without which it cannot be read as a whole."""

    name: str
    label: Text
    rights: str


def stream_choices(provider: Provider) -> list[StreamChoice]:
    return [
        StreamChoice(stream.name, stream.label, _needs(stream.permission) if stream.permission else "")
        for stream in provider.streams
    ]


def _needs(permission: Permission) -> str:
    rights = [permission.in_words(right) for right in permission.needs]
    named = get_text_list([isolate(right) for right in rights], gettext("and"))
    return ngettext("needs the right %(rights)s", "needs the rights %(rights)s", len(rights)) % {"rights": named}


class TimesWidget(forms.MultiWidget):
    """So many fields for a time, each with a name of its own for those who do not see them."""

    use_fieldset = True

    def __init__(self) -> None:
        super().__init__(
            [
                forms.TimeInput({"type": "time", "aria-label": _("Time %(number)s") % {"number": number}}, "%H:%M")
                for number in range(1, MOST_TIMES + 1)
            ],
            {"class": "times"},
        )

    def decompress(self, value: Sequence[time] | None) -> list[time | None]:
        times: list[time | None] = list(value or [])
        return times + [None] * (MOST_TIMES - len(times))


class TimesField(forms.MultiValueField):
    """Up to `MOST_TIMES` times of day; empty ones are left away."""

    widget = TimesWidget

    def __init__(self, **kwargs: Any) -> None:
        fields = [
            forms.TimeField(
                required=False, input_formats=["%H:%M", "%H:%M:%S"], error_messages={"invalid": NOT_A_TIME}
            )
            for _number in range(MOST_TIMES)
        ]
        super().__init__(fields, require_all_fields=False, required=False, **kwargs)

    def compress(self, data_list: Sequence[time | None]) -> list[time]:
        return sorted({each.replace(second=0) for each in data_list if each is not None})


class ScheduleForm(forms.Form):
    """Raises nothing: what is impossible stands at its field."""

    kind = forms.ChoiceField(
        label=_("When it is read"),
        choices=[(kind.value, capfirst(kind.label)) for kind in ScheduleKind],
        widget=forms.RadioSelect,
    )
    every_hours = forms.TypedChoiceField(label=_("How often"), coerce=int)
    times = TimesField(label=_("Times of day"))
    weekdays = forms.TypedMultipleChoiceField(
        label=_("Only on these days"),
        coerce=int,
        required=False,
        choices=[(str(number + 1), name) for number, name in WEEKDAYS.items()],
        widget=forms.CheckboxSelectMultiple,
        help_text=_("For times of day. None chosen means every day."),
    )
    streams = forms.MultipleChoiceField(
        label=_("What is read"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("What was read of a list before stays when you leave it out."),
    )

    def __init__(self, data: Any = None, *, provider: Provider, schedule: Schedule) -> None:
        left_out = set(schedule.streams_left_out)
        initial = {
            "kind": schedule.kind,
            "every_hours": str(schedule.every_hours),
            "times": schedule.times_of_day,
            "weekdays": [str(day) for day in schedule.weekdays],
            "streams": [stream.name for stream in provider.streams if stream.name not in left_out],
        }
        super().__init__(data, initial=initial)
        self.provider = provider
        hours = cast(forms.TypedChoiceField, self.fields["every_hours"])
        hours.choices = [(str(each), _every(each)) for each in sorted({*HOURS, schedule.every_hours})]
        streams = cast(forms.MultipleChoiceField, self.fields["streams"])
        streams.choices = [
            (each.name, format_html('<span>{} <span class="soft small">{}</span></span>', each.label, each.rights))
            for each in stream_choices(provider)
        ]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if not self.errors:
            for field, sentence in impossible(self.choice, self.provider.streams).items():
                self.add_error(field, str(sentence))
        return cleaned

    @property
    def choice(self) -> ScheduleChoice:
        """What was chosen, once the fields are clean."""
        chosen = self.cleaned_data
        return ScheduleChoice(
            kind=ScheduleKind(chosen["kind"]),
            every_hours=chosen["every_hours"],
            times=chosen["times"] or [],
            weekdays=chosen["weekdays"],
            streams=chosen["streams"],
        )


def _every(hours: int) -> str:
    return ngettext("every hour", "every %(hours)s hours", hours) % {"hours": hours}
