"""A process with the web's environment, database role and files opens nothing of the vault class."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection as database

from connections.tenancy.scope import SYSTEM, tenant_scope
from connections.vault.models import Credential, PrivateKey
from connections.vault.secret import Secret
from connections.vault.services import open_connection, store_credential
from portal.env import SandboxHosts

pytestmark = pytest.mark.process

CANARY = "canary-51c0de-do-not-show"
ROOT = Path(__file__).resolve().parents[2]
REFUSED = {"ProgrammingError", "KeyUnavailable", "InsufficientPrivilege", "PermissionError", "nothing"}


@pytest.fixture
def planted(committed_db, aamu, settings):
    """A stored credential, with its rows really there."""
    settings.SANDBOX_HOSTS = {"procountor": SandboxHosts(api="https://localhost:1/api")}
    with tenant_scope(aamu.id):
        opened = open_connection(tenant=aamu, provider="procountor", environment="sandbox", actor=SYSTEM)
        store_credential(connection=opened, name="api_key", secret=Secret(CANARY), actor=SYSTEM)
        assert PrivateKey.objects.filter(tenant=aamu).exists()
        credential = Credential.objects.get(connection=opened)
    return [str(aamu.id), str(opened.id), str(credential.id), CANARY]


def web_environment(url: str) -> dict[str, str]:
    """What `up` gives a web process: its own database address, the secret key and the web keyset. No KEK."""
    return {
        "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "PORTAL_MODE": "demo",
        "PORTAL_PROCESS": "web",
        "PORTAL_SECRET_KEY_FILE": os.environ["PORTAL_SECRET_KEY_FILE"],
        "PORTAL_WEB_KEYSET_FILE": os.environ["PORTAL_WEB_KEYSET_FILE"],
        "DATABASE_URL": url,
        "PYTHONPATH": str(ROOT),
    }


def web_url() -> str:
    """The address of the test database with the web's own login."""
    url = os.environ.get("DATABASE_URL_WEB")
    if not url:
        pytest.fail("DATABASE_URL_WEB is not set: unset DATABASE_URL, so that the tests start their own server")
    name = database.settings_dict["NAME"]
    head, _, query = url.partition("?")
    return f"{head.rpartition('/')[0]}/{name}" + (f"?{query}" if query else "")


def run(arguments: list[str], environment: dict[str, str], *prefix: str) -> dict[str, str]:
    done = subprocess.run(
        [*prefix, sys.executable, "-m", "tests.vault.wall_probe", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def test_the_webs_role_and_environment_open_nothing(planted):
    results = run([*planted, ""], web_environment(web_url()))
    assert results.pop("role") == "portal_web"
    assert len(results) >= 17
    assert {name: result for name, result in results.items() if result not in REFUSED} == {}


def test_the_probe_would_notice(planted):
    """The same ways, with a worker's role and key, do open: the test above can fail."""
    environment = web_environment(os.environ["DATABASE_URL_WORKER"])
    name = database.settings_dict["NAME"]
    head, _, query = environment["DATABASE_URL"].partition("?")
    environment["DATABASE_URL"] = f"{head.rpartition('/')[0]}/{name}?{query}"
    environment |= {"PORTAL_KEK_FILE": settings.KEK_FILE, "PORTAL_PROCESS": "worker"}
    results = run([*planted, settings.KEK_FILE], environment)
    for auth_method in ("private keys by the ORM", "ciphertexts of credentials", "the services a worker uses"):
        assert results[auth_method] == "opened", results
    assert results["the key-encryption key's file"] == "opened"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another system user")
def test_another_system_user_cannot_read_the_key_files(planted, tmp_path_factory):
    """As in production: the web runs as a user of its own, and the KEK's file belongs to the workers'."""
    setpriv = shutil.which("setpriv")
    assert setpriv, "util-linux's setpriv is missing"
    kek = Path(settings.KEK_FILE)
    kek.chmod(0o600)
    done = subprocess.run(
        [setpriv, "--reuid=65534", "--regid=65534", "--clear-groups", "cat", str(kek)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "Permission denied" in done.stderr
    assert done.stdout == ""
