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
    """What was asked for when the provider refused."""

    TOKEN = "token"  # noqa: S105  (a token is asked for; rules of it hold for GRANT as well)
    GRANT = "grant"  # the same with our own client, for what a person's consent gave: a code or a refresh token
    CALL = "call"


class Responsible(StrEnum):
    """Who can mend it."""

    CUSTOMER = "customer"
    US = "us"
    PROVIDER = "provider"
    NOBODY = "nobody"  # it passes by itself


@dataclass(frozen=True)
class Fault:
    """One known trouble. `customer_message` is what the customer reads, `staff_message` what our staff read; neither quotes
    the provider. `responsible`: who can mend it.
    """

    code: str
    responsible: Responsible
    customer_message: Text
    staff_message: str
    checkpoint: str = ""  # the one to reopen
    is_about_request: bool = False  # a 403 that refuses what was asked, and says nothing about rights
    names: Text = ""  # the customer's sentence with %(thing)s in it, where it is known what was refused
    # What is said instead, where what is stored has never opened anything: "no longer" would be untrue of it.
    never_worked: Fault | None = None


@dataclass(frozen=True)
class Rule:
    """Matches when everything that is given matches; the first match wins. `operations` by their names.

    `in_words`: only where the body is the provider's own error, with a word or a sentence in it. `reads`: only what
    reads (True), or only what changes something (False).
    """

    fault: Fault
    phase: Phase | None = None
    status: tuple[int, ...] = ()
    codes: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()
    in_words: bool = False
    reads: bool | None = None

    @property
    def goes_by_status(self) -> bool:
        """Whether nothing but the status speaks for it: a machine on the way may have answered."""
        return not self.codes and not self.in_words


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

    def judge(self, phase: Phase, status: int, body: Any, operation: str = "", *, reads: bool = True) -> Fault:
        """What this answer means: the fault of the first rule that matches, else `unknown`."""
        rule = self.rule(phase, status, body, operation, reads=reads)
        return rule.fault if rule else self.unknown

    def rule(self, phase: Phase, status: int, body: Any, operation: str = "", *, reads: bool = True) -> Rule | None:
        """The first rule that matches this answer. `operation`: its name; `reads`: it changes nothing there."""
        words = self.read_codes(body)
        codes = [code for code in map(str.upper, words) if CODE.fullmatch(code)]
        for rule in self.rules:
            if (
                (rule.phase in (None, phase) or (rule.phase is Phase.TOKEN and phase is Phase.GRANT))
                and (not rule.status or status in rule.status)
                and (not rule.codes or any(code in rule.codes for code in codes))
                and (not rule.in_words or any(words))
                and (not rule.operations or operation in rule.operations)
                and rule.reads in (None, reads)
            ):
                return rule
        return None

    def find(self, code: str) -> Fault | None:
        """The fault of this code, as rows store it; None for an unknown one."""
        return next((fault for fault in self.all() if fault.code == code), None)

    def all(self) -> list[Fault]:
        """Every fault that an answer of this provider can lead to."""
        named = [*(rule.fault for rule in self.rules), *self.more, self.unknown]
        return [*named, *(fault.never_worked for fault in named if fault.never_worked)]
