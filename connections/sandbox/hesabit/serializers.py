"""How a kept record is served: the shapes that switches choose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from connections.sandbox.hesabit.sample_data import Body, persian
from connections.sandbox.kit import Kit

ODD_STATUS = "in_dispute"


@dataclass(frozen=True)
class Style:
    """The positions of the switches that change a record's looks."""

    persian_prices: bool
    numbers_as_text: bool
    extras: bool


def style(kit: Kit) -> Style:
    switches = kit.switches
    return Style(switches["item_price"] == "persian", switches["numbers"] == "text", switches.on("extras"))


def status(body: Body, style: Style) -> str:
    """The status that is served; with extras one in ten is of a kind nobody knows."""
    return ODD_STATUS if style.extras and body["id"] % 10 == 4 else str(body.get("status", ""))


def serialize(stream: str, body: Body, style: Style) -> Body:
    """The record as the API tells it."""
    members = dict(body)
    if "status" in members:
        members["status"] = status(body, style)
    if style.extras:
        members |= {"branch": {"code": body["id"] % 3, "name": None}, "labels": ["ویژه"]}
    if style.numbers_as_text:
        members = {name: value if name == "online_payment" else _as_text(value) for name, value in members.items()}
    if stream == "items" and style.persian_prices:
        members["price"] = persian(f"{body['price']:,}".replace(",", "٬"))
    return members


def _as_text(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _as_text(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_as_text(inner) for inner in value]
    return str(value) if isinstance(value, int) else value
