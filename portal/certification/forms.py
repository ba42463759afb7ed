"""The form that asks for a certification report."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.certification.reports import MOST_DAYS, first_kept_day, last_settled_day, programmes

USUAL_DAYS = 30


class ReportForm(forms.Form):
    """Which programme at which environment, and of which whole days (UTC)."""

    place = forms.ChoiceField(label=gettext_lazy("Certification"))
    first_day = forms.DateField(label=gettext_lazy("From"), widget=forms.DateInput(attrs={"type": "date"}))
    last_day = forms.DateField(label=gettext_lazy("To"), widget=forms.DateInput(attrs={"type": "date"}))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        last = last_settled_day()
        kwargs.setdefault("initial", {"first_day": last - timedelta(days=USUAL_DAYS - 1), "last_day": last})
        super().__init__(*args, **kwargs)
        self.fields["place"].choices = [  # type: ignore[attr-defined]
            (f"{provider.slug}|{side.value}", f"{certification.title}, {side.label}")
            for provider, certification, side in programmes()
        ]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        first, last = cleaned.get("first_day"), cleaned.get("last_day")
        if first is None or last is None:
            return cleaned
        if first > last:
            raise forms.ValidationError(_("The first day comes after the last one. Change one of them."))
        if last > last_settled_day():
            raise forms.ValidationError(
                _("Reports are made of days that are over (UTC): %(day)s at the latest.") % {"day": last_settled_day()}
            )
        if first < first_kept_day():
            raise forms.ValidationError(
                _("The request log is kept since %(day)s. Begin there, or later.") % {"day": first_kept_day()}
            )
        if (last - first).days >= MOST_DAYS:
            raise forms.ValidationError(_("Choose %(days)d days at most.") % {"days": MOST_DAYS})
        return cleaned
