"""What a provider has announced, as data: a day from which on customers must have done something, and what it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from connections.spec.text import Text


class ChangeKind(StrEnum):
    VERSION = "version"  # a version goes away
    RIGHT = "right"  # a right that was not needed before
    CONSENT = "consent"  # somebody has to agree anew


@dataclass(frozen=True)
class AnnouncedChange:
    """A step that every affected connection has before it, from the day of the release that declares it to its own day.

    Only what somebody at the customer must do: what our own staff do by a release is none. `source`: where the provider says
    so; without one, nothing is declared.
    """

    slug: str
    kind: ChangeKind
    due_on: date
    title: Text
    todo: Text
    otherwise: Text  # what happens from that day on where it was not done
    source: str
    alternatives: Sequence[Text] = ()
    checkpoint: str = ""  # where it is done; '' for none of ours
    auth_methods: tuple[str, ...] = ()  # only connections with these grants; () is for all
    environments: tuple[str, ...] = ()  # only at these, by their values; () is for all

    def affects(self, auth_method: str, environment: str) -> bool:
        is_way = not self.auth_methods or auth_method in self.auth_methods
        return is_way and (not self.environments or environment in self.environments)
