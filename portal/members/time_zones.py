"""The time zones a person can choose. Reading their names from the disk and a template per option took half a second."""

from __future__ import annotations

from functools import cache
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.forms.utils import flatatt
from django.utils.html import format_html, format_html_join

# Names by place; the others are older names of the same zones.
AREAS = (
    "Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific",
)  # fmt: skip
UTC = "UTC"


@cache
def choices() -> list[tuple[str, list[tuple[str, str]]]]:
    """Each area with its zones, for as long as the process lives: the names change with the system's packages alone."""
    names = sorted(available_timezones())
    by_area = [(area, [name for name in names if name.startswith(f"{area}/")]) for area in AREAS]
    groups = [(area, [(name, name.replace("_", " ")) for name in names]) for area, names in by_area]
    return [*groups, (UTC, [(UTC, UTC)])]


class TimeZoneSelect(forms.Select):
    """A plain select, written in one go. A zone that is no longer offered stays, as long as nobody chooses another."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> Any:
        current = str(value or UTC)
        groups = choices()
        if not any(current == key for _area, zones in groups for key, _label in zones):
            groups = [("", [(current, current)]), *groups]
        options = [
            (area, format_html_join("", '<option value="{}"{}>{}</option>', _options(zones, current)))
            for area, zones in groups
        ]
        return format_html(
            "<select{}>{}</select>",
            flatatt(self.build_attrs(self.attrs, {**(attrs or {}), "name": name})),
            format_html_join("", '<optgroup label="{}">{}</optgroup>', options),
        )


def _options(zones: list[tuple[str, str]], current: str) -> Any:
    selected = format_html("{}", " selected")
    return ((key, selected if key == current else "", label) for key, label in zones)


class TimeZoneField(forms.ChoiceField):
    widget = TimeZoneSelect

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=choices, **kwargs)
