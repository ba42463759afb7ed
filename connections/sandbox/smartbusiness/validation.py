"""How a written record is judged: types, required fields, values and formats, told field by field in a 422."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from connections.sandbox.kit.switches import Switches
from connections.sandbox.smartbusiness.catalogue import Field, Fields
from connections.sandbox.smartbusiness.errors import invalid

REQUIRED, TYPE, VALUE, FORMAT, FIXED, EXISTS = 1100, 1101, 1102, 1103, 1104, 1105
_SAYS = {
    REQUIRED: "required",
    TYPE: "wrong type",
    VALUE: "wrong value",
    FORMAT: "wrong format",
    FIXED: "cannot be changed",
    EXISTS: "already exists",
}
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_CURRENCY = re.compile(r"[A-Z]{3}")
POSITION_NEEDS = ("price", "vat", "amount", "unit_id")


class Form:
    """One written body; collects what is wrong with it and raises it all at once."""

    def __init__(self, switches: Switches) -> None:
        self._switches = switches
        self.errors: list[dict[str, Any]] = []

    def wrong(self, key: str, code: int) -> None:
        if self._switches["nested_key"] == "brackets":
            first, *rest = key.split(".")
            key = first + "".join(f"[{part}]" for part in rest)
        self.errors.append({"key": key, "code": code, "message": _SAYS[code]})

    def close(self) -> None:
        """Raises Trouble 422 when anything was wrong."""
        if self.errors:
            raise invalid(self.errors)

    def read(self, body: Mapping[str, Any], fields: Fields, *, whole: bool, at: str = "") -> dict[str, Any]:
        """The fields that may be written, judged; `whole` demands the required ones, `at` is the key they stand under."""
        if self._switches["unknown_fields"] == "refused":
            for name in body.keys() - fields.keys():
                self.wrong(at + name, VALUE)
        values: dict[str, Any] = {}
        for name, field in fields.items():
            if field.read:
                continue
            if name not in body:
                if whole and field.required:
                    self.wrong(at + name, REQUIRED)
                continue
            if body[name] is None or body[name] == [] or (body[name] == "" and field.kind == "text"):
                if field.required:
                    self.wrong(at + name, REQUIRED)
                values[name] = body[name]
                continue
            values[name] = self._judged(body[name], field, at + name)
        return values

    def _judged(self, value: Any, field: Field, key: str) -> Any:
        strict = self._switches["float_typing"] == "strict"
        whole = isinstance(value, int) and not isinstance(value, bool)
        fits = {
            "int": whole,
            "float": isinstance(value, float) or (whole and not strict),
            "bool": isinstance(value, bool),
            "object": isinstance(value, dict),
            "list": isinstance(value, list),
            "enums": isinstance(value, list),
        }.get(field.kind, isinstance(value, str))
        if not fits:
            self.wrong(key, TYPE)
        elif field.kind == "float":
            return float(value)
        elif field.kind in ("enum", "enums"):
            if not set(map(str, [value] if field.kind == "enum" else value)) <= set(field.choices):
                self.wrong(key, VALUE)
        elif not _formed(value, field.kind):
            self.wrong(key, FORMAT)
        elif field.kind == "object" and field.inner:
            return self.read(value, field.inner, whole=True, at=f"{key}.")
        elif field.kind == "list" and field.inner:
            return [self._member(each, field.inner, f"{key}.{number}") for number, each in enumerate(value)]
        return value

    def _member(self, value: Any, inner: Fields, key: str) -> Any:
        """One position: a normal one needs what makes its price."""
        if not isinstance(value, dict):
            self.wrong(key, TYPE)
            return value
        if value.get("type") == "N":
            for name in POSITION_NEEDS:
                if value.get(name) is None:
                    self.wrong(f"{key}.{name}", REQUIRED)
        return self.read({n: v for n, v in value.items() if v is not None}, inner, whole=True, at=f"{key}.")


def _formed(value: Any, kind: str) -> bool:
    if kind == "email":
        return _EMAIL.fullmatch(value) is not None
    if kind == "currency":
        return _CURRENCY.fullmatch(value) is not None
    if kind == "date":
        try:
            return len(value) == 10 and bool(date.fromisoformat(value))
        except ValueError:
            return False
    return True
