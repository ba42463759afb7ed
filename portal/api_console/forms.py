"""The form of one operation, made from its description, and the way back of what is wrong to its fields."""

from __future__ import annotations

from typing import Any

import orjson
from django import forms
from django.utils.translation import gettext_lazy as _

from connections.calls.models import Call
from connections.calls.validation import BadCall, check, parameters_of
from connections.spec import json_numbers
from connections.spec.operations import Arguments, Operation, Parameter, ParameterPlace
from connections.spec.text import Text

PLACES: dict[ParameterPlace, Text] = {
    ParameterPlace.PATH: _("Stands in the address."),
    ParameterPlace.QUERY: _("Optional; left out when empty."),
    ParameterPlace.HEADER: _("Travels in a header, not in the address."),
}
MACHINE = {"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
LONGEST_BODY = 300_000


def field_name(parameter: Parameter) -> str:
    """The name of its form field."""
    return f"{parameter.place.value}-{parameter.name}"


class CallForm(forms.Form):
    """Parameters by place, then the body as JSON. An empty parameter is left out. `like` fills it as an earlier call."""

    def __init__(self, *args: Any, operation: Operation, like: Call | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.operation = operation
        self._parameters = parameters_of(operation)
        filled = like.call_arguments if like else None
        for parameter in self._parameters:
            initial = _arguments_at(filled, parameter.place).get(parameter.name, "") if filled else parameter.example
            self.fields[field_name(parameter)] = self._form_field(parameter, initial)
        if operation.example is not None:
            body = filled.body if filled and filled.body is not None else operation.example
            self.fields["body"] = forms.CharField(
                label=_("Body"),
                help_text=_("JSON, exactly as it is sent."),
                strip=False,
                max_length=LONGEST_BODY,
                initial=pretty(body),
                widget=forms.Textarea(attrs={**MACHINE, "rows": 18, "dir": "auto", "class": "mono"}),
            )

    @staticmethod
    def _form_field(parameter: Parameter, initial: str) -> forms.Field:
        required = parameter.required or parameter.place is ParameterPlace.PATH
        needed = "" if parameter.place is ParameterPlace.QUERY and required else PLACES[parameter.place]
        words: dict[str, Any] = {
            "label": parameter.name,
            "help_text": needed,
            "required": required,
            "initial": initial,
        }
        if parameter.choices:
            offered = [choice for choice in parameter.choices if choice]
            choices = [*([] if required else [("", "–")]), *((choice, choice) for choice in offered)]
            return forms.ChoiceField(choices=choices, **words)
        attributes = {**MACHINE, "dir": "auto"}
        return forms.CharField(strip=False, max_length=2000, widget=forms.TextInput(attrs=attributes), **words)

    def clean_body(self) -> Any:
        try:
            body = orjson.loads(self.cleaned_data["body"])
        except orjson.JSONDecodeError as wrong:
            where = {"line": wrong.lineno, "column": wrong.colno}
            raise forms.ValidationError(
                _("This is not JSON. Look at line %(line)s, column %(column)s."), params=where
            ) from None
        try:
            return json_numbers.exact_values(self.cleaned_data["body"].encode())
        except RecursionError:
            return body  # which the check of a call refuses

    def clean(self) -> dict[str, Any]:
        """What the operation's description says is wrong becomes errors of the fields."""
        cleaned = super().clean() or self.cleaned_data
        if not self.errors:
            try:
                check(self.operation, self.arguments())
            except BadCall as bad:
                self._add_errors_of(bad)
        return cleaned

    def arguments(self) -> Arguments:
        """Of a form without errors."""
        values: dict[ParameterPlace, dict[str, str]] = {place: {} for place in ParameterPlace}
        for parameter in self._parameters:
            if value := self.cleaned_data[field_name(parameter)]:
                values[parameter.place][parameter.name] = value
        body = self.cleaned_data.get("body")
        return Arguments(
            values[ParameterPlace.PATH], values[ParameterPlace.QUERY], values[ParameterPlace.HEADER], body
        )

    def _add_errors_of(self, bad: BadCall) -> None:
        """Each at its field; what has no field of its own stands above the form."""
        for (place, name), sentence in bad.parameters.items():
            field = f"{place.value}-{name}"
            if field in self.fields:
                self.add_error(field, str(sentence))
            else:
                self.add_error(None, f"{name}: {sentence}")
        for trouble in bad.body:
            error = f"{trouble.path}: {trouble.sentence}" if trouble.path else str(trouble.sentence)
            self.add_error("body" if "body" in self.fields else None, error)


class SettleForm(forms.Form):
    """What a person found at the provider about a call whose outcome is unknown."""

    DONE, NOT_DONE = "done", "not-done"
    SENTENCE = _("Say whether it was carried out or not.")

    outcome = forms.ChoiceField(
        choices=[(DONE, DONE), (NOT_DONE, NOT_DONE)],
        error_messages={"required": SENTENCE, "invalid_choice": SENTENCE},
    )

    @property
    def is_done(self) -> bool:
        return bool(self.cleaned_data["outcome"] == self.DONE)


def pretty(value: Any) -> str:
    return json_numbers.dumps(value, indented=True).decode()


def _arguments_at(filled: Arguments, place: ParameterPlace) -> dict[str, str]:
    return dict(
        {ParameterPlace.PATH: filled.path, ParameterPlace.QUERY: filled.query, ParameterPlace.HEADER: filled.headers}[
            place
        ]
    )
