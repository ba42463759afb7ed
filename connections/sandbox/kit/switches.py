"""Switches: where a provider's document leaves a shape open, both shapes exist and a person or a test chooses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from connections.sandbox.kit.store import Store

STANDINGS = {
    "documented": "stated by the provider",
    "observed": "seen in published client code",
    "inferred": "our guess",
    "unknown": "nothing public",
}


@dataclass(frozen=True)
class Choice:
    """One position of a switch: its stable value and what it means to a reader."""

    value: str
    meaning: str


ON_OFF = (Choice("on", "On"), Choice("off", "Off"))


@dataclass(frozen=True)
class Switch:
    """One open question: `standing` says how sure we are of the default, `source` why."""

    name: str
    title: str
    choices: tuple[Choice, ...]
    default: str
    standing: str
    source: str

    def __post_init__(self) -> None:
        if self.standing not in STANDINGS:
            msg = f"switch {self.name}: standing {self.standing!r} is none of {sorted(STANDINGS)}"
            raise ValueError(msg)
        if self.default not in self.values:
            msg = f"switch {self.name}: default {self.default!r} is none of {self.values}"
            raise ValueError(msg)

    @property
    def values(self) -> list[str]:
        return [choice.value for choice in self.choices]


class UnknownSwitch(ValueError):
    """A switch or a position that does not exist; the text says which."""


class Switches:
    """The positions of all switches of one simulator; kept over a restart."""

    def __init__(self, table: tuple[Switch, ...], store: Store) -> None:
        self.table = {switch.name: switch for switch in table}
        self._store = store
        self._positions = self.stored_positions()

    def stored_positions(self) -> dict[str, str]:
        """The positions as the store has them."""
        saved: dict[str, str] = self._store.get("switches", {})
        usable = {k: v for k, v in saved.items() if k in self.table and v in self.table[k].values}
        return {switch.name: switch.default for switch in self.table.values()} | usable

    def __getitem__(self, name: str) -> str:
        return self._positions[name]

    def on(self, name: str) -> bool:
        return self._positions[name] == "on"

    def positions(self) -> dict[str, str]:
        return dict(self._positions)

    def descriptions(self) -> list[dict[str, object]]:
        """Every switch as the control API tells it, with where it stands now (`position`)."""
        return [
            {
                "name": switch.name,
                "title": switch.title,
                "choices": [{"value": choice.value, "meaning": choice.meaning} for choice in switch.choices],
                "default": switch.default,
                "standing": switch.standing,
                "source": switch.source,
                "position": self._positions[switch.name],
            }
            for switch in self.table.values()
        ]

    def reset(self) -> None:
        self.flip({switch.name: switch.default for switch in self.table.values()})

    def flip(self, changes: Mapping[str, object]) -> None:
        """Move several switches at once, or none; true and false stand for on and off. Raises UnknownSwitch."""
        positions = dict(self._positions)
        for name, value in changes.items():
            position = {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)
            switch = self.table.get(name)
            if switch is None:
                msg = f"there is no switch {name!r}; there are {', '.join(self.table)}"
                raise UnknownSwitch(msg)
            if position not in switch.values:
                msg = f"switch {name} has no position {position!r}; it has {', '.join(switch.values)}"
                raise UnknownSwitch(msg)
            positions[name] = position
        self._store.set("switches", positions)
        self._positions = positions
