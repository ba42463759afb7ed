"""What stands in the repository is what people wrote: no build, no package, no data set that a tool left behind."""

from __future__ import annotations

import subprocess

from tests.house.papers import REPOSITORY

AT_THE_TOP = {
    ".dockerignore",
    ".ci", ".editorconfig", ".gitignore", ".pre-commit-config.yaml", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE",
    "Makefile", "README.md", "connections", "deploy", "docs", "manage.py", "portal", "pyproject.toml", "requirements-demo.in",
    "requirements-demo.lock", "requirements-dev.in", "requirements-dev.lock", "requirements-uv.in", "requirements-uv.lock",
    "requirements.in", "requirements.lock", "static", "templates", "tests",
}  # fmt: skip
KINDS = {
    "", ".conf", ".css", ".env", ".html", ".in", ".js", ".json", ".lock", ".md", ".png", ".py", ".service", ".sha256",
    ".sql", ".svg", ".target", ".timer", ".toml", ".txt", ".yaml",
}  # fmt: skip


def tracked() -> list[str]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=True, text=True)
    return [name for name in listed.stdout.split("\0") if name]


def test_the_top_holds_what_is_meant_to_stand_there() -> None:
    assert {name.split("/")[0] for name in tracked()} == AT_THE_TOP


def test_every_file_is_of_a_kind_that_people_write() -> None:
    others = [name for name in tracked() if (REPOSITORY / name).suffix not in KINDS]
    assert not others, f"name the kind in KINDS, or take the file out: {others}"
