"""Finds a Chromium for the tests that drive a real browser; `python -m tests.browser` says which, or exits with 1."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ADVICE = (
    "No Chromium found, and the journeys need one. Install Debian's (apt-get install chromium-headless-shell), or "
    "Playwright's (.venv/bin/playwright install chromium), or name one that is there: CHROMIUM=/path/to/chromium"
)
# The headless shell is the same engine without a window's own pages: a fifth of the processor time for each context.
_NAMES = (
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
)
_QUIET = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)


class NoBrowser(Exception):
    """There is no Chromium here. The text says what to do."""


def find() -> Path | None:
    """The first one that runs: named in CHROMIUM, on PATH, then what Playwright downloaded."""
    return next((program for program in _candidates() if _runs(program)), None)


def launch_options() -> dict[str, Any]:
    """Keyword arguments for Playwright's ``chromium.launch``. Raises NoBrowser: a missing browser fails the tests."""
    program = find()
    if program is None:
        raise NoBrowser(ADVICE)
    # Chromium refuses its own sandbox as root; here it sees nothing but our pages.
    sandbox = ("--no-sandbox",) if os.geteuid() == 0 else ()
    return {"executable_path": str(program), "args": [*_QUIET, *sandbox], "headless": True}


def _candidates() -> Iterator[Path]:
    for variable in ("CHROMIUM", "PLAYWRIGHT_CHROMIUM_EXECUTABLE_PATH"):
        if os.environ.get(variable):
            yield Path(os.environ[variable])
    for name in _NAMES:
        found = shutil.which(name)
        if found:
            yield Path(found)
    downloads = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or Path.home() / ".cache" / "ms-playwright")
    for pattern in ("chromium_headless_shell-*/*/*headless*shell", "chromium-*/chrome-*/chrome"):
        yield from sorted(downloads.glob(pattern), reverse=True)


def _runs(program: Path) -> bool:
    try:
        return subprocess.run([program, "--version"], capture_output=True, timeout=30).returncode == 0
    except (OSError, subprocess.SubprocessError):
        return False


if __name__ == "__main__":
    browser = find()
    if browser is None:
        sys.exit(ADVICE)
    sys.stdout.write(f"{browser}\n")
