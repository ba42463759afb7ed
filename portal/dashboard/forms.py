"""What a person looks for among connections, and sets on one."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.db import models
from django.utils.translation import gettext_lazy as _

from connections.exports.models import ExportFormat
from connections.providers import registry
from connections.spec.provider import Provider
from connections.spec.text import duration
from connections.sync.pausing import LONGEST_REASON
from connections.transport.log.recording import LONGEST_RECORDING_MINUTES

MINUTES = (15, LONGEST_RECORDING_MINUTES)  # of recording


class Group(models.IntegerChoices):
    """How connections are doing, in the order in which a page lists them."""

    PROBLEM = 0, _("with a problem")
    SETUP = 1, _("being set up")
    READING = 2, _("being read")
    IN_ORDER = 3, _("in order")
    PAUSED = 4, _("paused")
    DISCONNECTED = 5, _("disconnected")


class ConnectionFilter(forms.Form):
    """Which connections a list shows. Anybody may write anything into an address: what is no choice is not looked for."""

    name = forms.CharField(label=_("Company"), required=False, max_length=200)
    provider = forms.ChoiceField(label=_("System"), required=False)
    state = forms.ChoiceField(label=_("State"), required=False, choices=[("", _("all")), *Group.choices])

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.auto_id = "filter-%s"
        providers = registry.all_providers().values()
        field = cast(forms.ChoiceField, self.fields["provider"])
        field.choices = [("", _("all")), *((provider.slug, provider.name) for provider in providers)]

    def wanted(self) -> dict[str, str]:
        """What is looked for, by field."""
        self.full_clean()
        return {name: value for name, value in self.cleaned_data.items() if value}


class PauseForm(forms.Form):
    reason = forms.CharField(
        label=_("Why"),
        max_length=LONGEST_REASON,
        help_text=_("Everybody in the team reads it while the connection is paused."),
    )


class DisconnectForm(forms.Form):
    """What becomes of what was read. Kept, where somebody sends the press alone."""

    records = forms.ChoiceField(
        label=_("What was read"),
        choices=[("keep", _("Keep it here, to look at and to export")), ("delete", _("Delete it"))],
        initial="keep",
        widget=forms.RadioSelect(),
        required=False,
    )

    @property
    def keeps_records(self) -> bool:
        return bool(self.cleaned_data["records"] != "delete")


class RecordingForm(forms.Form):
    minutes = forms.TypedChoiceField(
        label=_("For how long"),
        coerce=int,
        initial=MINUTES[0],
        choices=[(str(each), duration(each * 60)) for each in MINUTES],
    )


FORMATS = (
    (ExportFormat.CSV, _("CSV, for spreadsheets")),
    (ExportFormat.JSON_LINES, _("JSON Lines, each record exactly as it came")),
    (ExportFormat.PARQUET, _("Parquet, for databases and analyses")),
)


class ExportForm(forms.Form):
    """Everything of the company, in one of the formats."""

    format = forms.ChoiceField(
        label=_("As"), choices=FORMATS, initial=ExportFormat.CSV, widget=forms.RadioSelect(), required=True
    )

    @property
    def chosen_format(self) -> ExportFormat:
        return ExportFormat(self.cleaned_data["format"])


class ConnectionExportForm(ExportForm):
    """One stream of a connection, or all of them."""

    stream = forms.ChoiceField(label=_("What"), required=False)
    field_order = ("stream", "format")

    def __init__(self, *args: Any, provider: Provider, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = cast(forms.ChoiceField, self.fields["stream"])
        field.choices = [
            ("", _("everything of this connection")),
            *((each.name, each.label) for each in provider.streams),
        ]
