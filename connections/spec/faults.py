"""What a refusal means, who must act and which checkpoint to reopen: status and codes in, fault out."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from connections.spec.text import Text

CODE = re.compile(r"[A-Z0-9][A-Z0-9_]{1,79}")


class Phase(StrEnum):
    TOKEN = "token"  # noqa: S105  (a token is asked for; rules of it hold for GRANT as well)
    GRANT = "grant"  # the same, with what a person's consent gave: a code or a refresh token
    CALL = "call"


class Acts(StrEnum):
    """Who can mend it."""

    CUSTOMER = "customer"
    US = "us"
    PROVIDER = "provider"
    NOBODY = "nobody"  # it passes by itself


@dataclass(frozen=True)
class Fault:
    """One known trouble. `customer` is what the customer reads, `staff` what we read; neither quotes the provider."""

    code: str
    acts: Acts
    customer: Text
    staff: str
    checkpoint: str = ""  # the one to reopen
    is_about_request: bool = False  # a 403 that refuses what was asked, and says nothing about rights


@dataclass(frozen=True)
class Rule:
    """Matches when everything that is given matches; the first match wins. `operations` by their names."""

    fault: Fault
    phase: Phase | None = None
    status: tuple[int, ...] = ()
    codes: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()

    def matches(self, phase: Phase, status: int, codes: Sequence[str], operation: str) -> bool:
        return (
            (self.phase in (None, phase) or (self.phase is Phase.TOKEN and phase is Phase.GRANT))
            and (not self.status or status in self.status)
            and (not self.codes or any(code in self.codes for code in codes))
            and (not self.operations or operation in self.operations)
        )


@dataclass(frozen=True)
class FaultCatalogue:
    """A provider's faults. `read_codes` takes a parsed error body and gives its machine-readable codes.

    `read_fields` gives what it says of single fields, as (dotted path, code of a sentence or fault, else their own
    words). `in_good` tells an answer of 2xx that is a refusal all the same. `more` are faults that no rule leads to.
    """

    rules: Sequence[Rule]
    read_codes: Callable[[Any], list[str]]
    unknown: Fault
    read_fields: Callable[[Any], list[tuple[str, str]]] = lambda body: []
    in_good: Callable[[Any], bool] = lambda body: False
    more: Sequence[Fault] = ()

    def judge(self, phase: Phase, status: int, body: Any, operation: str = "") -> Fault:
        codes = [code for code in map(str.upper, self.read_codes(body)) if CODE.fullmatch(code)]
        return next((rule.fault for rule in self.rules if rule.matches(phase, status, codes, operation)), self.unknown)

    def find(self, code: str) -> Fault | None:
        return next((fault for fault in self.all() if fault.code == code), None)

    def all(self) -> list[Fault]:
        return [*(rule.fault for rule in self.rules), *self.more, self.unknown]
