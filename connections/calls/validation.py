"""Whether what somebody typed is a call that the operation knows: every value in its place, the body of its kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from string import Formatter
from typing import Any

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from connections.spec import json_numbers
from connections.spec.operations import Arguments, FieldTrouble, Operation, Parameter, ParameterPlace
from connections.spec.text import Text

LONGEST_VALUE = 2000  # characters
LARGEST_BODY = 256_000  # bytes
# A server may read these as the end of a segment even where they are escaped.
SEGMENT_ENDS = frozenset("/\\%")
JOINERS = str.maketrans("", "", "\u200c\u200d")  # Persian is spelled with these; Python calls them unprintable

ValuesByPlace = Mapping[ParameterPlace, Mapping[str, str]]


class BadCall(Exception):
    """What must be put right, at its field: parameters by place and name, and paths into the body ('' for the whole)."""

    def __init__(
        self, parameters: Mapping[tuple[ParameterPlace, str], Text] | None = None, body: Sequence[FieldTrouble] = ()
    ) -> None:
        super().__init__("a call that cannot be sent")
        self.parameters = dict(parameters or {})
        self.body = list(body)


def check(operation: Operation, arguments: Arguments) -> None:
    """Raises BadCall with everything that is wrong at once."""
    values = {
        ParameterPlace.PATH: arguments.path,
        ParameterPlace.QUERY: arguments.query,
        ParameterPlace.HEADER: arguments.headers,
    }
    parameters = dict(_parameters(operation, values))
    body = list(_body(operation, arguments.body))
    if parameters or body:
        raise BadCall(parameters, body)


def parameters_of(operation: Operation) -> list[Parameter]:
    """The parameters of an operation, those of its path first, whether or not each placeholder was described."""
    described = {(each.place, each.name): each for each in operation.parameters}
    names = [name for _text, name, _spec, _as in Formatter().parse(operation.path) if name]
    path = [
        described.pop((ParameterPlace.PATH, name), Parameter(name, ParameterPlace.PATH, required=True))
        for name in names
    ]
    return [*path, *described.values()]


def _parameters(
    operation: Operation, values_by_place: ValuesByPlace
) -> Iterator[tuple[tuple[ParameterPlace, str], Text]]:
    described = {(each.place, each.name): each for each in parameters_of(operation)}
    for place, values in values_by_place.items():
        for name, value in values.items():
            if (place, name) not in described:
                yield (place, name), _("The operation has no such parameter.")
            elif trouble := _value(described[place, name], value):
                yield (place, name), trouble
    for (place, name), parameter in described.items():
        if (parameter.required or place is ParameterPlace.PATH) and name not in values_by_place[place]:
            yield (place, name), _("This is needed.")


def _value(parameter: Parameter, value: object) -> Text:
    """What is wrong with one value; '' for nothing."""
    if not isinstance(value, str) or not value:
        return _("This is needed.")
    if len(value) > LONGEST_VALUE or not value.translate(JOINERS).isprintable():
        return format_lazy(_("At most {most} characters, none of them invisible."), most=LONGEST_VALUE)
    if parameter.choices and value not in parameter.choices:
        return _("Choose one of the values that the provider knows.")
    if parameter.place is ParameterPlace.PATH and (value.strip() in ("", ".", "..") or SEGMENT_ENDS & set(value)):
        return _("This cannot stand in an address: no slash, backslash or percent sign, and more than dots.")
    if parameter.place is ParameterPlace.HEADER and (not value.isascii() or value != value.strip()):
        return _("A header takes plain characters only, without spaces around them.")
    return ""


def _body(operation: Operation, body: Any) -> Iterator[FieldTrouble]:
    if operation.example is None:
        if body is not None:
            yield FieldTrouble("", _("This operation takes no body."))
        return
    if isinstance(operation.example, dict) and not isinstance(body, dict):
        yield FieldTrouble("", _("An object is needed: it begins with { and ends with }."))
        return
    if isinstance(operation.example, list) and not isinstance(body, list):
        yield FieldTrouble("", _("A list is needed: it begins with [ and ends with ]."))
        return
    try:
        written = json_numbers.dumps(body)
    except TypeError:  # too deep, too large a number, or no text
        yield FieldTrouble("", _("This cannot be written as JSON."))
        return
    if len(written) > LARGEST_BODY:
        yield FieldTrouble("", format_lazy(_("At most {most} kB."), most=LARGEST_BODY // 1024))
    elif operation.check is not None:
        yield from operation.check(body)
