"""What `make run` itself starts in production: the files of deploy/ are held against it."""

from __future__ import annotations

from pathlib import Path

from portal.devserver.children import Plan


def production_commands(state: Path, schedule: str) -> dict[str, list[str]]:
    """By process, without the interpreter; `schedule` is where the beat keeps what it remembers."""
    (state / "keys").mkdir()
    plan = Plan(
        mode="production",
        port=8000,
        state=state,
        owner_url="postgresql://o@h/d",
        web_url="postgresql://w@h/d",
        worker_url="postgresql://k@h/d",
        broker_url="redis://h",
        secret_key={},
        web_keyset={},
        kek={},
        smtp={},
    )
    commands = {child.name: list(child.arguments) for child in plan.processes()}
    commands["beat"] = [schedule if each.endswith("schedule") and "/" in each else each for each in commands["beat"]]
    return commands
