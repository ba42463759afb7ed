"""What `up` tells a person once everything runs: what is where, and who can sign in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def ready_text(
    *, portal: str, simulator: str, logs: Path, data: str, notes: Path, is_demo: bool, seconds: float
) -> str:
    """Several lines. `notes` is the file demo_data writes: ``{"sign_ins": [{"email", "password", "what"}]}``."""
    places = {"Portal": f"{portal}/", "Admin": f"{portal}/admin/"}
    if simulator:
        places["Simulator"] = f"{simulator}/"
    if is_demo:
        places["Mails"] = f"{portal}/demo/mail/"
    places |= {"Logs": str(logs), "Data": data}
    lines = ["", f"Ready after {seconds:.1f} s.", "", *(f"  {name:<12}{place}" for name, place in places.items())]
    known: dict[str, Any] = json.loads(notes.read_text(encoding="utf-8")) if is_demo and notes.exists() else {}
    sign_ins = known.get("sign_ins", [])
    if sign_ins:
        width = max(len(person["email"]) for person in sign_ins) + 2
        lines += ["", f"  Demo sign-ins (password {sign_ins[0]['password']})"]
        lines += [f"    {person['email']:<{width}}{person['what']}" for person in sign_ins]
    if is_demo:
        lines += [
            "",
            "  This is the demo: all processes share one system user, so the wall between web and worker is only",
            "  what each is told in its environment, and its database role.",
        ]
    return "\n".join([*lines, "", "  Ctrl-C stops everything.", ""])
