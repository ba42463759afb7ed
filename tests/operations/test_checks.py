"""Each start-up check, broken once: what is wrong is named, and nothing starts."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.conf import LazySettings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.checks import CheckMessage
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.utils import timezone

from portal import env
from portal.operations import checks, database_checks, health, role_checks, start
from portal.operations.keys import ensure_keys
from tests.conftest import person
from tests.roles import acting_as

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def as_if_signed_in(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Tests become a role by SET ROLE, in a session of the owner's that has no limits; test_role_checks.py signs in."""
    monkeypatch.setattr(role_checks, "session_role", lambda current: current.role)
    if {"db", "house_key", "a_second_factor"} & set(request.fixturenames):
        request.getfixturevalue("db")
        with connection.cursor() as cursor:
            for name, milliseconds in env.DATABASE_TIMEOUTS["web"].items():
                cursor.execute(f"SET LOCAL {name} = {milliseconds}")


def ids(messages: list[CheckMessage]) -> list[str | None]:
    return [message.id for message in messages]


def on_database(check: Callable[..., list[CheckMessage]]) -> list[str | None]:
    return ids(check(databases=["default"]))


# -- settings and environment ------------------------------------------------------------------------------------------


def as_process(settings: LazySettings, process: str) -> None:
    """The right keys for a process of this kind; the tests' own process holds all of them."""
    settings.PROCESS = process
    settings.SECRET_KEY = "k" * 60
    if process != "worker":
        settings.KEK_FILE = ""
    if process != "web":
        settings.WEB_KEYSET_FILE = ""


@pytest.mark.parametrize("process", ["web", "worker", "beat", "owner"])
def test_a_right_environment_is_accepted(settings: Any, process: str) -> None:
    as_process(settings, process)
    assert [m for check in start.ON_SETTINGS for m in check()] == []


@pytest.mark.parametrize("key", ["", "short"])
def test_a_missing_or_short_secret_key_is_refused(settings: Any, key: str) -> None:
    as_process(settings, "web")
    settings.SECRET_KEY = key
    assert ids(checks.secret_key()) == ["portal.E007"]


def test_a_worker_without_the_kek_is_refused(settings: Any) -> None:
    as_process(settings, "worker")
    settings.KEK_FILE = ""
    assert ids(checks.key_files()) == ["portal.E008"]


def test_a_worker_whose_kek_file_holds_something_else_is_refused(settings: Any, tmp_path: Path) -> None:
    as_process(settings, "worker")
    settings.KEK_FILE = str(tmp_path / "kek.json")
    Path(settings.KEK_FILE).write_text("{}")
    assert ids(checks.key_files()) == ["portal.E008"]


@pytest.mark.parametrize("process", ["web", "beat"])
def test_a_kek_in_any_process_but_a_worker_is_refused(settings: Any, process: str) -> None:
    kek = settings.KEK_FILE
    as_process(settings, process)
    settings.KEK_FILE = kek
    assert ids(checks.key_files()) == ["portal.E009"]


def test_a_web_process_without_its_keyset_is_refused(settings: Any) -> None:
    as_process(settings, "web")
    settings.WEB_KEYSET_FILE = "/nowhere"
    assert ids(checks.key_files()) == ["portal.E010"]


def test_a_worker_with_the_webs_keyset_is_refused(settings: Any) -> None:
    webs = settings.WEB_KEYSET_FILE
    as_process(settings, "worker")
    settings.WEB_KEYSET_FILE = webs
    assert ids(checks.key_files()) == ["portal.E011"]


@pytest.mark.parametrize("flag", ["OAUTHLIB_INSECURE_TRANSPORT", "OAUTHLIB_RELAX_TOKEN_SCOPE"])
def test_oauthlibs_process_wide_flags_are_refused(monkeypatch: pytest.MonkeyPatch, flag: str) -> None:
    monkeypatch.setenv(flag, "1")
    assert ids(checks.oauth_flags()) == ["portal.E026"]


def in_production(settings: Any) -> None:
    settings.DEMO = False
    settings.DEBUG = False
    settings.ORIGIN = "https://portal.example"
    settings.ALLOWED_HOSTS = ["portal.example"]
    settings.TRUSTED_PROXIES = 1
    settings.SANDBOX_HOSTS = {}


def test_right_production_settings_are_accepted(settings: Any) -> None:
    in_production(settings)
    assert checks.production() == []


@pytest.mark.parametrize(
    ("setting", "value", "code"),
    [
        ("DEBUG", True, "portal.E020"),
        ("ALLOWED_HOSTS", [], "portal.E021"),
        ("ALLOWED_HOSTS", ["*"], "portal.E021"),
        ("ALLOWED_HOSTS", [".example.com"], "portal.E021"),
        ("ORIGIN", "http://portal.example", "portal.E022"),
        ("ORIGIN", "", "portal.E022"),
        ("TRUSTED_PROXIES", -1, "portal.E023"),
        ("CACHES", {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}, "portal.E024"),
        ("SANDBOX_HOSTS", {"procountor": object()}, "portal.E027"),
    ],
)
def test_production_refuses(settings: Any, setting: str, value: Any, code: str) -> None:
    in_production(settings)
    setattr(settings, setting, value)
    assert ids(checks.production()) == [code]
    settings.DEMO = True
    assert checks.production() == [], "the demo may do all of this"


def test_our_own_networks_are_missed_in_one_line_and_stop_nobody(settings: Any) -> None:
    in_production(settings)
    settings.PROCESS, settings.OWN_NETWORKS = "worker", ()
    [message] = checks.production()
    assert (message.id, message.is_serious()) == ("portal.W031", False)


@pytest.mark.parametrize("process", ["web", "worker", "beat"])
def test_a_broker_that_nobody_named_is_refused(settings: Any, process: str) -> None:
    as_process(settings, process)
    settings.CELERY_BROKER_URL = "memory://"
    assert ids(checks.broker()) == ["portal.E017"]


@pytest.mark.parametrize("name", checks.CELERYS_OWN)
def test_what_celery_would_obey_before_our_settings_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "redis://elsewhere.example/0")
    assert ids(checks.broker()) == ["portal.E030"]


def test_files_that_were_not_collected_are_refused_to_the_web(settings: Any, tmp_path: Path) -> None:
    in_production(settings)
    settings.PROCESS = "web"
    assert ids(checks.collected_files()) == ["portal.E029"], "the demo's storage notes nothing"
    settings.STATIC_ROOT = tmp_path
    settings.STATICFILES_DIRS = [REPOSITORY / "static"]
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"},
    }
    call_command("collectstatic", interactive=False, verbosity=0)
    del staticfiles_storage.hashed_files  # as read when a process starts
    staticfiles_storage.hashed_files, _ = staticfiles_storage.load_manifest()
    assert checks.collected_files() == []
    next(tmp_path.glob("css/portal.*.css")).unlink()
    assert ids(checks.collected_files()) == ["portal.E029"]


# -- the database ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("process", "role"), [("web", "web"), ("worker", "worker"), ("beat", "worker"), ("owner", "owner")]
)
def test_a_right_database_is_accepted(db: None, settings: Any, process: str, role: str) -> None:
    settings.PROCESS = process
    with acting_as(role):
        assert [m for check in start.ON_DATABASE for m in check(databases=["default"])] == []


@pytest.mark.parametrize(
    ("process", "role"), [("web", "owner"), ("web", "worker"), ("worker", "web"), ("beat", "owner"), ("owner", "web")]
)
def test_a_wrong_database_role_is_refused(db: None, settings: Any, process: str, role: str) -> None:
    settings.PROCESS = process
    with acting_as(role):
        assert on_database(role_checks.role) == ["portal.E001"]


def test_a_runtime_role_that_owns_a_table_is_refused(db: None, settings: Any) -> None:
    settings.PROCESS = "web"
    with connection.cursor() as cursor:
        cursor.execute("GRANT CREATE ON SCHEMA public TO portal_web")
        cursor.execute("CREATE TABLE planted (id int)")
        cursor.execute("ALTER TABLE planted OWNER TO portal_web")
    with acting_as("web"):
        assert on_database(role_checks.role) == ["portal.E002"]


@pytest.mark.parametrize(
    "damage",
    [
        "ALTER TABLE vault_connection NO FORCE ROW LEVEL SECURITY",
        "ALTER TABLE vault_connection DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE transport_entry DISABLE ROW LEVEL SECURITY",
        "DROP POLICY tenant ON vault_credential",
        "DROP POLICY tenant ON sync_record; CREATE POLICY tenant ON sync_record TO portal_web USING (true)",
        "CREATE POLICY extra ON sync_record TO portal_web USING (true)",
        "CREATE POLICY staff ON sync_record USING (true)",
    ],
)
@pytest.mark.parametrize("role", ["web", "worker", "owner"])
def test_a_fence_that_was_taken_down_is_noticed(db: None, settings: Any, damage: str, role: str) -> None:
    settings.PROCESS = role
    with connection.cursor() as cursor:
        cursor.execute(damage)
    with acting_as(role):
        assert on_database(database_checks.row_security) == ["portal.E003"]


@pytest.mark.parametrize("process", ["web", "worker"])
def test_pending_migrations_are_refused_to_everybody_but_the_owner(db: None, settings: Any, process: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM django_migrations WHERE app = 'support' OR (app = 'sync' AND name = '0001_initial')"
        )
    settings.PROCESS = "owner"
    assert on_database(database_checks.migrations) == []
    settings.PROCESS = process
    with acting_as(process):
        assert on_database(database_checks.migrations) == ["portal.E004"]


def test_an_old_server_is_refused(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_checks, "server_major", lambda: 15)
    assert on_database(database_checks.server) == ["portal.E005"]


def test_the_demos_own_server_is_refused_in_production(db: None, settings: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SHOW cluster_name")
        name = cursor.fetchone()[0]
    settings.DEMO = True
    assert on_database(database_checks.server) == []
    settings.DEMO = False
    assert on_database(database_checks.server) == (["portal.E025"] if name == database_checks.CLUSTER_NAME else [])


@pytest.mark.parametrize("seconds", [-120, 120])
def test_a_clock_that_is_off_is_refused(db: None, seconds: int) -> None:
    with time_machine.travel(timezone.now() + timedelta(seconds=seconds)):
        assert on_database(database_checks.clock) == ["portal.E006"]


def test_a_clock_within_a_minute_is_accepted(db: None) -> None:
    with time_machine.travel(timezone.now() + timedelta(seconds=45)):
        assert on_database(database_checks.clock) == []


# -- starting ----------------------------------------------------------------------------------------------------------


def refused(process: str) -> int | str | None:
    with pytest.raises(SystemExit) as left:
        start.refuse_bad_start(process)
    return left.value.code


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


def test_a_good_worker_makes_the_house_key_and_starts(db: None, settings: Any, kept_connection: None) -> None:
    from connections.vault.models import HouseKey

    as_process(settings, "worker")
    with acting_as("worker"):
        start.refuse_bad_start("worker")
        start.refuse_bad_start("worker")
    assert HouseKey.objects.count() == 1


def test_a_worker_whose_kek_does_not_open_the_house_key_is_refused(
    house_key: None, settings: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str], kept_connection: None
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
        except SystemExit as left:
            return left.code
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


# -- health ------------------------------------------------------------------------------------------------------------


def test_ready_says_what_a_start_would_say(db: None, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    as_process(settings, "web")
    monkeypatch.setattr(health, "fitness", health.Fitness())
    with acting_as("web"):
        assert Client().get(health.READY).status_code == 200
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE vault_connection NO FORCE ROW LEVEL SECURITY")
    with acting_as("web"):
        assert Client().get(health.READY).status_code == 200, "asked again within half a minute"
        health.fitness = health.Fitness()
        answer = Client().get(health.READY)
    assert (answer.status_code, answer.content) == (503, b'{"status": "not fit"}')
    assert Client().get(health.LIVE).status_code == 200


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
