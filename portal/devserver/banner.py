"""The text that `up` prints once everything runs: the addresses, and who can sign in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def ready_text(
    *, portal: str, simulator: str, logs: Path, data: str, notes: Path, is_demo: bool, seconds: float
) -> str:
    """Several lines of text. `notes` is demo_data's file: ``{"sign_ins": [{"email", "password", "what"}]}``."""
    addresses = {"Portal": f"{portal}/", "Admin": f"{portal}/admin/"}
    if simulator:
        addresses["Simulator"] = f"{simulator}/"
    if is_demo:
        addresses["Mails"] = f"{portal}/demo/mail/"
    addresses |= {"Logs": str(logs), "Data": data}
    lines = [
        "",
        f"Ready after {seconds:.1f} s.",
        "",
        *(f"  {name:<12}{address}" for name, address in addresses.items()),
    ]
    noted: dict[str, Any] = json.loads(notes.read_text(encoding="utf-8")) if is_demo and notes.exists() else {}
    sign_ins = noted.get("sign_ins", [])
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
