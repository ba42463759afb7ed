"""When jobs were started: each process that does them appends to a file of its own, and the benchmark reads them all."""

from __future__ import annotations

import os
import time
from functools import cache
from pathlib import Path
from typing import TextIO

FOLDER = "PORTAL_BENCH_FOLDER"  # the environment variable: workers are given those that begin like this


@cache
def _file(process_id: int) -> TextIO:
    return Path(os.environ[FOLDER], f"started-{process_id}").open("a", buffering=1, encoding="utf-8")


def note(name: str) -> None:
    """That this is started now."""
    _file(os.getpid()).write(f"{name} {time.time()}\n")


def read(folder: Path) -> dict[str, float]:
    """Seconds since 1970, by name. One that was started twice counts from the first time."""
    found: dict[str, float] = {}
    for path in folder.glob("started-*"):
        for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
            name, _space, at = line.rpartition(" ")
            if name and line.endswith("\n"):
                found[name] = min(float(at), found.get(name, float("inf")))
    return found


def count(folder: Path) -> int:
    return sum(path.read_bytes().count(b"\n") for path in folder.glob("started-*"))
