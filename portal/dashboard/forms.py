"""What a person sets on a connection: how often it is read."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from connections.spec.text import duration
from connections.transport.log.recording import LONGEST

HOURS = (1, 2, 3, 6, 12, 24)
MINUTES = (15, int(LONGEST.total_seconds()) // 60)  # of recording


class ScheduleForm(forms.Form):
    every_hours = forms.TypedChoiceField(label=_("Look for changes"), coerce=int)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = cast(forms.TypedChoiceField, self.fields["every_hours"])
        now = self.get_initial_for_field(field, "every_hours")
        offered = sorted({*HOURS, *([now] if now else [])})
        field.choices = [("0", _("only by hand")), *((str(hours), _every(hours)) for hours in offered)]


class RecordingForm(forms.Form):
    minutes = forms.TypedChoiceField(
        label=_("For how long"),
        coerce=int,
        initial=MINUTES[0],
        choices=[(str(each), duration(each * 60)) for each in MINUTES],
    )


def _every(hours: int) -> str:
    return ngettext("every hour", "every %(hours)s hours", hours) % {"hours": hours}
