"""Each start-up check, broken once: what is wrong is named, and nothing starts."""

from __future__ import annotations

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
from django.utils import timezone

from portal import env
from portal.env import EMBEDDED_CLUSTER_NAME
from portal.operations import checks, database_checks, role_checks, start
from tests.roles import acting_as

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def as_if_signed_in(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Tests become a role by SET ROLE, in a session of the owner's that has no limits; test_role_checks.py signs in."""
    monkeypatch.setattr(role_checks, "session_role", lambda current: current.role)
    if {"db", "system_key", "a_second_factor"} & set(request.fixturenames):
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
        ("CACHES", {"default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache"}}, "portal.E024"),
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


@pytest.mark.parametrize("name", checks.CELERY_VARIABLES)
def test_what_celery_would_obey_before_our_settings_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "redis://elsewhere.example/0")
    assert ids(checks.broker()) == ["portal.E030"]


def test_files_that_were_not_collected_are_refused_to_the_web(settings: Any, tmp_path: Path) -> None:
    in_production(settings)
    settings.PROCESS = "web"
    assert ids(checks.collected_files()) == ["portal.E029"], "the demo's storage notes nothing"
    kit, settings.STATIC_ROOT = tmp_path / "kit", tmp_path / "collected"
    kit.mkdir()
    (kit / "kit.css").write_text("a { color: red }")
    settings.STATICFILES_DIRS = [REPOSITORY / "static", ("bootstrap", kit)]  # with a prefix, as Bootstrap's own
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"},
    }
    call_command("collectstatic", interactive=False, verbosity=0)
    del staticfiles_storage.hashed_files  # as read when a process starts
    staticfiles_storage.hashed_files, _ = staticfiles_storage.load_manifest()
    assert checks.collected_files() == []
    next(settings.STATIC_ROOT.glob("css/portal.*.css")).unlink()
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
        cursor.execute("DELETE FROM django_migrations WHERE app IN ('support', 'sync')")
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
    assert on_database(database_checks.server) == (["portal.E025"] if name == EMBEDDED_CLUSTER_NAME else [])


@pytest.mark.parametrize("seconds", [-120, 120])
def test_a_clock_that_is_off_is_refused(db: None, seconds: int) -> None:
    with time_machine.travel(timezone.now() + timedelta(seconds=seconds)):
        assert on_database(database_checks.clock) == ["portal.E006"]


def test_a_clock_within_a_minute_is_accepted(db: None) -> None:
    with time_machine.travel(timezone.now() + timedelta(seconds=45)):
        assert on_database(database_checks.clock) == []
