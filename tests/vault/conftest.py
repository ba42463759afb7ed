"""Tells at the end of a run how many secrets reached a thief, added up over all attacks."""

from __future__ import annotations

from typing import Any

from tests.vault.thief import COUNT, TRIES


def pytest_terminal_summary(terminalreporter: Any) -> None:
    figures = {TRIES: 0, COUNT: 0}
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, value in getattr(report, "user_properties", ()):
                if name in figures and getattr(report, "when", "") == "call":
                    figures[name] += value
    if figures[TRIES]:
        terminalreporter.section("stolen logins")
        for name, value in figures.items():
            terminalreporter.write_line(f"{name}: {value}")
