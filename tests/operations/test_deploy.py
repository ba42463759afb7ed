"""The files of deploy/ say what the portal itself does: roles, commands, variables, the proxy's limits."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from portal.devserver.postgres import Postgres
from portal.devserver.state import Folders
from portal.operations import roles, web_server
from portal.operations.compose_secrets import scram
from portal.operations.keys import ensure_keys
from tests.kinds import starts_processes
from tests.operations.production_plan import production_commands

REPOSITORY = Path(__file__).resolve().parents[2]
DEPLOY = REPOSITORY / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
PROCESSES = {
    "web": ("common", "web"),
    "worker": ("common", "worker"),
    "worker-mail": ("common", "worker", "mail"),
    "beat": ("common", "beat"),
    "owner": ("common", "owner"),
    "backup": ("common", "backup"),
}


@pytest.fixture(scope="module")
@starts_processes
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    folders = Folders(tmp_path_factory.mktemp("deploy") / "state")
    folders.make()
    postgres = Postgres(folders, superuser_password="root of all", throw_away=True)
    postgres.start()
    yield postgres
    postgres.stop()


def _rights(address: str, database: str) -> dict[str, Any]:
    """Everything about our roles that lies in the catalogue."""
    questions = {
        "roles": "SELECT rolname, rolsuper, rolinherit, rolcreaterole, rolcanlogin, rolreplication, rolbypassrls"
        " FROM pg_roles WHERE rolname LIKE 'portal%' ORDER BY rolname",
        "members": "SELECT roleid::regrole::text, member::regrole::text, admin_option, inherit_option, set_option"
        " FROM pg_auth_members WHERE roleid::regrole::text LIKE 'portal%' ORDER BY 1, 2",
        "settings": "SELECT setrole::regrole::text, unnest(setconfig) FROM pg_db_role_setting JOIN pg_database d"
        " ON d.oid = setdatabase WHERE d.datname = current_database() ORDER BY 1, 2",
        "database": "SELECT a.grantee::regrole::text, a.privilege_type FROM pg_database, aclexplode(datacl) AS a"
        " WHERE datname = current_database() AND a.grantee <> 10 ORDER BY 1, 2",
        "schema": "SELECT nspowner::regrole::text, a.grantee::regrole::text, a.privilege_type"
        " FROM pg_namespace, aclexplode(nspacl) AS a WHERE nspname = 'public' ORDER BY 1, 2, 3",
    }
    with psycopg.connect(roles.address_as(address, "postgres", "root of all", database=database)) as connection:
        return {name: connection.execute(question).fetchall() for name, question in questions.items()}


def test_the_roles_are_those_that_the_portal_makes_itself(server: Postgres) -> None:
    """But for CREATEDB, which the owner of a server of our own has for the tests' databases."""
    admin = server.admin_address()
    roles.ensure_database(admin, "office")
    script = (DEPLOY / "roles.sql").read_text(encoding="utf-8")
    with psycopg.connect(server.admin_address("office")) as connection:
        connection.execute(script)
        connection.execute(script)  # again
    by_file = _rights(admin, "office")
    assert all(by_file.values())
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute("DROP DATABASE office")
        for role in (roles.OWNER, roles.WEB, roles.WORKER, roles.STAFF, roles.BACKUP):
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))
    roles.ensure_database(admin, "office")
    roles.ensure_roles(server.admin_address("office"), {role: role for role in roles.LOGINS})
    assert by_file == _rights(admin, "office")


def test_the_server_takes_a_password_that_it_was_never_told(server: Postgres) -> None:
    """As compose.yaml hands it over."""
    admin = server.admin_address()
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE newcomer LOGIN PASSWORD '{scram('a long word')}'")
    for word, is_right in (("a long word", True), ("another", False)):
        try:
            psycopg.connect(roles.address_as(admin, "newcomer", word)).close()
        except psycopg.OperationalError as error:
            assert not is_right, error
        else:
            assert is_right


def _lines(unit: Path, name: str) -> list[str]:
    return re.findall(rf"^{name}=(.*)$", unit.read_text(encoding="utf-8"), re.MULTILINE)


def _commands() -> dict[str, list[str]]:
    """By unit; of the template, for each of its queues."""
    commands = {}
    for unit in UNITS:
        [command] = _lines(unit, "ExecStart")
        names = ["interactive", "sync", "exports"] if "@" in unit.name else [""]
        for name in names:
            words = shlex.split(command.replace("%i", name).replace("%%", "%"))
            assert words[0] == "/opt/pilotage/.venv/bin/python"
            commands[unit.stem.removeprefix("pilotage-").replace("@", f"-{name}")] = words[1:]
    return commands


def test_the_units_run_what_make_run_runs_in_production(tmp_path: Path) -> None:
    ours = production_commands(tmp_path, "/var/lib/pilotage-beat/schedule")
    ours["maintenance"] = ["manage.py", "maintenance"]
    public_key = "/etc/pilotage/keys/backup_public.json"
    ours["backup"] = ["manage.py", "backup", "--public-key", public_key, "/var/lib/pilotage-backup"]
    assert _commands() == ours
    target = (DEPLOY / "systemd" / "pilotage.target").read_text(encoding="utf-8")
    for name in ("web", "worker@interactive", "worker@sync", "worker@exports", "worker-mail", "beat"):
        assert f"pilotage-{name}.service" in target


def test_each_unit_is_started_again_and_walled_in() -> None:
    for unit in UNITS:
        text = unit.read_text(encoding="utf-8")
        assert "\nNoNewPrivileges=yes\n" in text, unit.name
        assert "\nProtectSystem=strict\n" in text, unit.name
        assert ("\nRestart=always\n" in text) is ("Type=oneshot" not in text), unit.name


def _variables(*names: str) -> dict[str, str]:
    pattern = re.compile(r"^(?:# )?([A-Z_]+)=(.*)$", re.MULTILINE)
    files = [(DEPLOY / "environment" / f"{name}.env").read_text(encoding="utf-8") for name in names]
    return {name: value.strip('"') for text in files for name, value in pattern.findall(text)}


def test_each_unit_reads_the_environment_of_its_process() -> None:
    read = {unit.stem: [Path(each).stem for each in _lines(unit, "EnvironmentFile")] for unit in UNITS}
    assert read == {
        "pilotage-web": list(PROCESSES["web"]),
        "pilotage-worker@": list(PROCESSES["worker"]),
        "pilotage-worker-mail": list(PROCESSES["worker-mail"]),
        "pilotage-beat": list(PROCESSES["beat"]),
        "pilotage-maintenance": list(PROCESSES["owner"]),
        "pilotage-backup": list(PROCESSES["backup"]),
    }


def test_every_variable_is_in_the_readmes_table_and_none_is_a_secret() -> None:
    table = set(re.findall(r"`([A-Z_]+)`", (REPOSITORY / "README.md").read_text(encoding="utf-8")))
    for path in (DEPLOY / "environment").glob("*.env"):
        for name, value in _variables(path.stem).items():
            assert name in table or name.removesuffix("_FILE") in table, f"{path.name}: {name}"
            assert "://" not in value or "@" not in value, f"{path.name}: {name}"


@pytest.mark.process
@pytest.mark.parametrize("process", PROCESSES)
def test_the_settings_take_each_environment(process: str, tmp_path: Path) -> None:
    """With the files that it names, here in a folder of the test's."""
    keys = ensure_keys(tmp_path / "keys").path
    for name in ("web", "worker", "owner", "backup"):
        (keys / f"{name}.database").write_text("postgresql://portal@db.example/portal")
    (keys / "broker").write_text("redis://broker.example:6379/0")
    (keys / "smtp").write_text("smtp://somebody:a-password@mail.example:587")
    environment = {
        name: value.replace("/etc/pilotage/keys", str(keys)) for name, value in _variables(*PROCESSES[process]).items()
    }
    assert _settings(environment) == {"PROCESS": process.partition("-")[0], "SMTP": process == "worker-mail"}


def _settings(environment: Mapping[str, str]) -> dict[str, Any]:
    program = "import json; from portal import settings as s; print(json.dumps({'PROCESS': s.PROCESS, 'SMTP': bool(s.SMTP)}))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=REPOSITORY,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    settings: dict[str, Any] = json.loads(done.stdout)
    return settings


def test_the_proxies_let_through_what_the_web_takes_and_say_who_asks() -> None:
    nginx, caddy = ((DEPLOY / name).read_text(encoding="utf-8") for name in ("nginx.conf", "Caddyfile"))
    megabytes = web_server.SETTINGS["max_request_body_size"] // 1024**2
    assert f"client_max_body_size {megabytes}m;" in nginx
    assert f"max_size {megabytes}MB" in caddy
    for head in ("Host $host", "X-Forwarded-Proto https", "X-Forwarded-For $remote_addr"):
        assert f"proxy_set_header {head};" in nginx
    assert "$request_uri" not in re.search(r"log_format.*", nginx).group(), "a query may hold a code"  # type: ignore[union-attr]
    assert "127.0.0.1:8000" in nginx
    assert "127.0.0.1:8000" in caddy
