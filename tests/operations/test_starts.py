"""Starts that are refused in one line, and starts that are not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import CheckMessage

from portal.operations import start
from portal.operations.keys import ensure_keys
from tests.conftest import person
from tests.operations.test_checks import as_if_signed_in, as_process
from tests.roles import acting_as

pytestmark = pytest.mark.process

__all__ = ["as_if_signed_in"]

REPOSITORY = Path(__file__).resolve().parents[2]


def refused(process: str) -> int | str | None:
    with pytest.raises(SystemExit) as exit_info:
        start.refuse_bad_start(process)
    return exit_info.value.code


@pytest.fixture
def kept_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test's transaction must outlive the start, which closes its connections for whoever forks later."""
    monkeypatch.setattr(start.connections, "close_all", lambda: None)


def test_a_refusal_is_one_line_with_the_way_out(
    db: None, settings: Any, capfd: pytest.CaptureFixture[str], kept_connection: None
) -> None:
    as_process(settings, "web")
    settings.SECRET_KEY = "short"
    assert refused("web") == start.REFUSED
    line = capfd.readouterr().err
    assert line.count("\n") == 1
    assert line.startswith("portal: The secret key")
    assert "PORTAL_SECRET_KEY_FILE" in line
    assert "And 1 more" in line, "the test's role is the owner's, which is wrong, too"


def test_a_process_that_claims_to_be_another_is_refused(
    db: None, settings: Any, capfd: pytest.CaptureFixture[str], kept_connection: None
) -> None:
    settings.PROCESS = "owner"
    assert refused("worker") == start.REFUSED
    assert "PORTAL_PROCESS says owner" in capfd.readouterr().err


def test_a_good_worker_makes_the_system_key_and_starts(db: None, settings: Any, kept_connection: None) -> None:
    from connections.vault.key_models import SystemKey

    as_process(settings, "worker")
    with acting_as("worker"):
        start.refuse_bad_start("worker")
        start.refuse_bad_start("worker")
    assert SystemKey.objects.count() == 1


def test_a_worker_whose_kek_does_not_open_the_system_key_is_refused(
    system_key: None, settings: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str], kept_connection: None
) -> None:
    as_process(settings, "worker")
    settings.KEK_FILE = str(ensure_keys(tmp_path / "others").kek)
    with acting_as("worker"):
        assert refused("worker") == start.REFUSED
    line = capfd.readouterr().err
    assert "does not open" in line
    assert line.count("\n") == 1


@pytest.fixture
def a_second_factor(db: None) -> Any:
    """Somebody's, sealed with the web keyset of this installation."""
    from allauth.mfa.adapter import get_adapter
    from allauth.mfa.models import Authenticator

    return Authenticator.objects.create(
        user=person("ada@pilotage.example"), type="totp", data={"secret": get_adapter().encrypt("JBSWY3DPEHPK3PXP")}
    )


def web_start() -> int | str | None:
    with acting_as("web"):
        try:
            start.refuse_bad_start("web")
        except SystemExit as exit_info:
            return exit_info.code
    return None


def test_a_web_keyset_that_opens_the_second_factors_starts(
    a_second_factor: Any, settings: Any, kept_connection: None
) -> None:
    as_process(settings, "web")
    assert web_start() is None


def test_a_web_keyset_that_opens_no_second_factor_is_refused(
    a_second_factor: Any, settings: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str], kept_connection: None
) -> None:
    as_process(settings, "web")
    settings.WEB_KEYSET_FILE = str(ensure_keys(tmp_path / "others").web_keyset)
    assert web_start() == start.REFUSED
    [line] = capfd.readouterr().err.splitlines()
    assert "does not open the second factors" in line
    assert "PORTAL_WEB_KEYSET_FILE" in line


def test_one_damaged_second_factor_stops_nobody(a_second_factor: Any, settings: Any, kept_connection: None) -> None:
    from allauth.mfa.models import Authenticator

    Authenticator.objects.create(user=person("bo@pilotage.example"), type="totp", data={"secret": "AAAA"})
    as_process(settings, "web")
    assert web_start() is None


@pytest.mark.parametrize("process", ["web", "worker", "beat"])
def test_a_check_that_raises_is_a_refusal(
    db: None,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    kept_connection: None,
    process: str,
) -> None:
    def broken(**arguments: Any) -> list[CheckMessage]:
        message = "the value of something"
        raise RuntimeError(message)

    as_process(settings, process)
    monkeypatch.setattr(start, "ON_DATABASE", (broken,))
    assert refused(process) == start.REFUSED
    assert capfd.readouterr().err == (
        "portal: The check of broken could not be made: RuntimeError. Nothing starts unchecked. After a restore, give the"
        " roles their rights on every table again. (portal.E018)\n"
    )
    monkeypatch.setattr(start, "findings", broken)
    assert refused(process) == start.REFUSED
    assert capfd.readouterr().err == f"portal: this {process} process could not be checked: RuntimeError\n"


def live(arguments: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("PORTAL_", "DATABASE_URL", "BROKER_URL", "OAUTHLIB_"))
    }
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=REPOSITORY,
        env=inherited | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


PRODUCTION = {
    "PORTAL_PROCESS": "web",
    "PORTAL_SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "PORTAL_ORIGIN": "https://portal.example",
    "PORTAL_TRUSTED_PROXIES": "1",
    "DATABASE_URL": "postgresql://portal_web:x@db.example/portal",
    "BROKER_URL": "redis://broker.example/0",
}


def test_djangos_deployment_check_is_clean_in_production(tmp_path: Path) -> None:
    keyset = str(ensure_keys(tmp_path / "keys").web_keyset)
    done = live(
        ["manage.py", "check", "--deploy", "--fail-level", "WARNING"], **PRODUCTION, PORTAL_WEB_KEYSET_FILE=keyset
    )
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout


def test_the_deployment_check_sees_what_production_forbids() -> None:
    done = live(["manage.py", "check", "--deploy"], **PRODUCTION | {"PORTAL_ORIGIN": "http://portal.example"})
    assert done.returncode == 1
    assert "portal.E022" in done.stderr
    assert "portal.E010" in done.stderr


@pytest.mark.parametrize(
    ("process", "program", "wrong", "code"),
    [
        ("web", ["-c", "import portal.wsgi"], {"PORTAL_KEK_FILE": "/nowhere"}, "portal.E010"),
        ("worker", ["-m", "celery", "-A", "portal", "worker", "-P", "solo"], {}, "portal.E008"),
        (
            "beat",
            ["-m", "celery", "-A", "portal", "beat", "-s", "{folder}/beat"],
            {"PORTAL_KEK_FILE": "/nowhere"},
            "portal.E009",
        ),
    ],
)
def test_no_process_starts_without_its_keys(
    tmp_path: Path, process: str, program: list[str], wrong: dict[str, str], code: str
) -> None:
    environment = PRODUCTION | wrong | {"PORTAL_PROCESS": process}
    environment["DATABASE_URL"] = "postgresql://portal_web:x@/portal?host=/nowhere"
    done = live([part.format(folder=tmp_path) for part in program], **environment)
    assert done.returncode == start.REFUSED, done.stderr
    [line] = [line for line in done.stderr.splitlines() if line.startswith("portal: ")]
    assert code in line
    assert "And " in line, "the database cannot be reached either"
