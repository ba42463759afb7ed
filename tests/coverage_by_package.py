"""Combines what `coverage run` of all processes has left, and prints the share of lines and branches that ran, by package."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

DEPTH = 2  # connections/vault, portal/members


def by_package(files: dict[str, dict[str, dict[str, Any]]]) -> dict[str, Counter[str]]:
    """{package: sums of coverage.py's figures of its files}"""
    sums: dict[str, Counter[str]] = {}
    for name, figures in files.items():
        package = "/".join(Path(name).parts[:DEPTH][: len(Path(name).parts) - 1])
        for each in (package, "all"):
            counted = {key: value for key, value in figures["summary"].items() if isinstance(value, int)}
            sums.setdefault(each, Counter()).update(counted)
    return sums


def main() -> None:
    coverage = [sys.executable, "-m", "coverage"]
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        subprocess.run([*coverage, "combine", "--quiet"], check=True)
        subprocess.run([*coverage, "json", "--quiet", "-o", report.name], check=True)
        files = json.loads(Path(report.name).read_text(encoding="utf-8"))["files"]
    sys.stdout.write(f"{'package':40}{'lines':>16}{'branches':>18}\n")
    for package, sums in sorted(by_package(files).items()):
        shown = [
            f"{100 * sums[done] / sums[of]:6.1f}% of {sums[of]:5}" if sums[of] else "-"
            for done, of in (("covered_lines", "num_statements"), ("covered_branches", "num_branches"))
        ]
        sys.stdout.write(f"{package:40}{shown[0]:>16}{shown[1]:>18}\n")


if __name__ == "__main__":
    main()
