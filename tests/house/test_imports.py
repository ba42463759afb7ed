"""The floors of docs/architecture.md hold, and each contract notices the violation it is there for."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kinds import starts_processes

REPOSITORY = Path(__file__).resolve().parents[2]


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [program, "--no-cache"], cwd=folder, capture_output=True, text=True, timeout=120, env={"PATH": "/usr/bin:/bin"}
    )


@pytest.fixture(scope="module")
@starts_processes
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the code and its contracts."""
    copy = tmp_path_factory.mktemp("tree")
    for room in ("portal", "connections"):
        shutil.copytree(REPOSITORY / room, copy / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "pyproject.toml", copy)
    return copy


@pytest.mark.process
def test_every_contract_is_kept() -> None:
    done = lint(REPOSITORY)
    assert done.returncode == 0, done.stdout[-3000:]
    assert "0 broken" in done.stdout


PLANTS = {
    "an arrow from the engine to the site": {"connections/sync/planted.py": "from portal.members import models"},
    "an arrow up a floor": {"connections/tenancy/planted.py": "from connections.vault import services"},
    "an arrow up, hidden in a function": {
        "connections/jobs/planted.py": "def late():\n    from connections.sync import services\n"
    },
    "an arrow up in the site": {"portal/members/planted.py": "from portal.onboarding import services"},
    "a neighbour on the same floor of the engine": {
        "connections/calls/planted.py": "from connections.sync import models"
    },
    "a neighbour on the same floor": {"portal/support/planted.py": "from portal import admin_site"},
    "the words know the jobs": {"connections/spec/planted.py": "from connections.jobs import services"},
    "a provider that knows another": {
        "connections/providers/other/__init__.py": "",
        "connections/providers/other/planted.py": "from connections.providers.procountor import provider",
    },
    "a second door to the network": {"connections/sync/planted.py": "import requests"},
    "a second door, in the site": {"portal/onboarding/planted.py": "from urllib3 import PoolManager"},
    "a provider that calls by itself": {"connections/providers/procountor/planted.py": "import httpx"},
    "opening what is sealed": {"portal/support/planted.py": "import tink"},
    "the sandbox in use": {"connections/vault/planted.py": "from connections.sandbox import kit"},
    "the sandbox in the site": {"portal/operations/planted.py": "import connections.sandbox.kit"},
    "a sandbox that knows the engine": {"connections/sandbox/planted.py": "from connections.spec import provider"},
    "a sandbox that knows Django": {"connections/sandbox/planted.py": "import django.conf"},
    "production knows the demo's servers": {"portal/operations/planted.py": "from portal.devserver import postgres"},
    "a room nobody named in the engine": {"connections/annex/__init__.py": ""},
    "a room nobody named in the site": {"portal/annex/__init__.py": ""},
    "a room nobody named in transport": {"connections/transport/annex/__init__.py": ""},
    "a module nobody named in one of transport's rooms": {"connections/transport/oauth/annex.py": ""},
    **{
        f"an arrow up in transport, from {low} to {high}": {
            f"connections/transport/{low}.py": f"from connections.transport.{high} import __name__ as planted"
        }
        for low, high in (
            ("http/dns", "limits.retry"),
            ("limits/retry", "request_context"),
            ("oauth/revocation", "client"),
            ("oauth/token", "oauth.tokens"),
            ("http/errors", "http.session"),
            ("log/redaction", "log.writer"),
            ("limits/retry", "limits.rate_limiter"),
        )
    },
}


@pytest.mark.parametrize("plant", PLANTS.values(), ids=PLANTS.keys())
def test_a_planted_violation_is_refused(tree: Path, plant: dict[str, str]) -> None:
    folders, changed = [], {}
    try:
        for name, text in plant.items():
            path = tree / name
            if not path.parent.exists():
                path.parent.mkdir()
                folders.append(path.parent)
            if path.exists():
                changed[path] = path.read_text()
            path.write_text(f"{changed.get(path, '')}\n{text}\n")
        done = lint(tree)
        assert done.returncode == 1, done.stdout[-2000:] + done.stderr
        assert "BROKEN" in done.stdout
    finally:
        for name in plant:
            (tree / name).unlink()
        for path, text in changed.items():
            path.write_text(text)
        for folder in folders:
            shutil.rmtree(folder)


def test_the_copy_without_a_plant_is_kept(tree: Path) -> None:
    assert lint(tree).returncode == 0
