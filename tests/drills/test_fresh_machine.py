"""README's lines for a fresh machine can be taken from it, and name only what is there; the trial itself is a command."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.drills.fresh_machine import NAMES, REPOSITORY, operator_lines, packages, setup_lines


@pytest.mark.process
def test_readmes_lines_are_shell_and_name_files_that_are_there() -> None:
    lines = setup_lines()
    assert len(lines) > 25
    bash = subprocess.run(["bash", "-n"], input="\n".join(lines), capture_output=True, text=True, timeout=60)
    assert bash.returncode == 0, bash.stderr
    assert {"postgresql", "python3-venv"} <= set(packages())
    names = {
        name for line in lines for name in re.findall(r"(?<![\w/.-])(?:/opt/pilotage/)?(deploy/[\w./-]*\w)", line)
    }
    assert {"deploy/roles.sql", "deploy/nginx.conf"} <= names
    assert all((REPOSITORY / name).exists() for name in names)
    assert NAMES[0] in (REPOSITORY / "deploy" / "nginx.conf").read_text(encoding="utf-8")


def test_what_an_operator_makes_up_is_put_in_for_each() -> None:
    passwords = {name: f"of-{name}" for name in ("owner", "web", "worker", "backup")}
    lines = list(operator_lines(setup_lines(), passwords))
    assert not any("PASSWORD" in line for line in lines)
    addresses = [line for line in lines if "postgresql://" in line]
    for name, address in zip(("web", "worker", "owner", "backup"), addresses, strict=True):
        assert f"portal_{name}:of-{name}@localhost" in address
        assert f"> {name}.database" in address
