"""Which records of a stream somebody looks for, or wants to be shown. Both stand in the address."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Any, cast

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from connections.spec.columns import LONGEST_SEARCHED, searchable
from connections.spec.streams import Stream
from connections.sync.models import Record

BY_ID = "id"
GONE = "gone"
LONGEST_ID: int = Record._meta.get_field("external_id").max_length or 0


class DayInput(forms.DateInput):
    """A day that the browser lets choose. It shows nothing for what is none: such an input could not hold it."""

    input_type = "date"

    def format_value(self, value: Any) -> str | None:
        text = super().format_value(value)
        try:
            return date.fromisoformat(text).isoformat() if text else None
        except ValueError:
            return None


class RecordSearch(forms.Form):
    """By the id at the provider, or by one of the stream's searched columns, whose number is its place in the record."""

    by = forms.ChoiceField(label=_("Find by"))
    q = forms.CharField(label=_("Begins with"), max_length=LONGEST_ID)

    def __init__(self, stream: Stream, is_filled: bool, *args: Any, **kwargs: Any) -> None:
        """`is_filled`: the values of the searched columns are stored with every record."""
        super().__init__(*args, **kwargs)
        self.auto_id = "find-%s"
        columns = stream.searched if is_filled else []
        choices = [*((str(number), column.label) for number, column in enumerate(columns, 1)), (BY_ID, _("Id"))]
        cast(forms.ChoiceField, self.fields["by"]).choices = choices
        self.fields["q"].widget.attrs["autocomplete"] = "off"

    def clean_q(self) -> str:
        """The text as it is compared: ids to the letter, values in the form in which they are stored."""
        text: str = self.cleaned_data["q"]
        if self.cleaned_data.get("by") == BY_ID:
            return text
        form = searchable(text[:LONGEST_SEARCHED])
        if form is None:
            raise forms.ValidationError(_("Type a letter or a digit to look for."))
        return form


class RecordFilter(forms.Form):
    """All records or those that are gone; what has changed, or gone, since a day began in the reader's time zone."""

    show = forms.ChoiceField(
        label=_("Show"), required=False, choices=[("", _("all records")), (GONE, _("those that are gone"))]
    )
    since = forms.DateField(label=_("Changed since"), required=False, widget=DayInput(format="%Y-%m-%d"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.auto_id = "show-%s"

    def clean_since(self) -> datetime | None:
        day = self.cleaned_data["since"]
        if day is None:
            return None
        try:
            return timezone.make_aware(datetime.combine(day, time()))
        except (OverflowError, ValueError):
            raise forms.ValidationError(_("Choose a date of this century.")) from None
