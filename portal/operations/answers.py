"""One answer to one question of an operator's."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DoctorAnswer:
    """`is_right` None: nothing to judge, or this process cannot see it. `hint`: what to do where it is wrong."""

    question: str
    is_right: bool | None
    text: str
    hint: str = ""
