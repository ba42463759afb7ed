"""What a person chooses to be mailed about one tenant, and when."""

from __future__ import annotations

from datetime import time
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from portal.incidents.kinds import KINDS, MailKind
from portal.incidents.models import MailChoice

HOURS = [(f"{hour:02}:00", f"{hour:02}:00") for hour in range(24)]


class MailChoiceForm(forms.Form):
    kinds = forms.MultipleChoiceField(
        label=_("Mail me when"), choices=MailKind.choices, required=False, widget=forms.CheckboxSelectMultiple
    )
    rhythm = forms.ChoiceField(
        label=_("How"),
        choices=[("", _("at once, one mail for each thing")), ("daily", _("all together, each morning"))],
        required=False,
    )
    quiet_from = forms.ChoiceField(label=_("Quiet from"), choices=[("", _("never quiet")), *HOURS], required=False)
    quiet_until = forms.ChoiceField(
        label=_("Quiet until"),
        choices=[("", _("never quiet")), *HOURS],
        required=False,
        help_text=_("By the clock of your own time zone. What happens meanwhile is mailed when the quiet ends."),
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        start, end = cleaned.get("quiet_from"), cleaned.get("quiet_until")
        if bool(start) != bool(end):
            self.add_error("quiet_until", _("Choose both hours, when the quiet begins and when it ends, or neither."))
        elif start and start == end:
            self.add_error("quiet_until", _("The quiet ends when it begins. Choose another hour, or neither."))
        return cleaned

    def choices_made(self) -> dict[str, Any]:
        """What is stored of a valid form, by the columns of MailChoice."""
        quiet = {name: self.cleaned_data[name] for name in ("quiet_from", "quiet_until")}
        return {
            "refused": [kind for kind in KINDS if kind not in self.cleaned_data["kinds"]],
            "is_digest": self.cleaned_data["rhythm"] == "daily",
            **{name: time.fromisoformat(value) if value else None for name, value in quiet.items()},
        }


def initial_of(choice: MailChoice) -> dict[str, Any]:
    """What the form shows of what was chosen before."""
    return {
        "kinds": [kind for kind in KINDS if kind not in choice.refused],
        "rhythm": "daily" if choice.is_digest else "",
        "quiet_from": f"{choice.quiet_from:%H:00}" if choice.quiet_from else "",
        "quiet_until": f"{choice.quiet_until:%H:00}" if choice.quiet_until else "",
    }
