"""compose.yaml and the Dockerfile say what the portal itself does, and lend each process no more than it needs."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from connections.jobs.registry import QUEUES
from portal.operations.compose_secrets import ensure_secrets
from portal.operations.health import ADDRESSES
from tests.operations.production_plan import production_commands
from tests.operations.test_environment_table import documented

REPOSITORY = Path(__file__).resolve().parents[2]
DEPLOY = REPOSITORY / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
PORTAL = {name: each for name, each in SERVICES.items() if each["image"] == "pilotage" and name != "secrets"}
DOCKERFILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", "")
COMMON = {"secret_key", "broker"}
LENT = {
    "web": {"web.database", "web_keyset.json"},
    "worker-interactive": {"worker.database", "kek.json"},
    "worker-sync": {"worker.database", "kek.json"},
    "worker-exports": {"worker.database", "kek.json"},
    "worker-mail": {"worker.database", "kek.json", "smtp"},
    "beat": {"worker.database"},
    "migrate": {"owner.database"},
    "maintenance": {"owner.database"},
    "manage": {"owner.database"},
    "backup": {"backup.database", "backup_public.json"},
}


def _containers_section() -> str:
    return (REPOSITORY / "README.md").read_text(encoding="utf-8").split("**With containers.**")[1].split("\n## ")[0]


def test_the_services_run_what_make_run_runs_in_production(tmp_path: Path) -> None:
    ours = production_commands(tmp_path, "/tmp/schedule")
    ours["web"] = [each.replace("127.0.0.1", "0.0.0.0") for each in ours["web"]]  # the proxy is another machine here
    assert {name: shlex.split(SERVICES[name]["command"])[1:] for name in ours} == ours
    served = {queue for name in ours for queue in _queues(SERVICES[name]["command"])}
    assert served == set(QUEUES)


def _queues(command: str) -> list[str]:
    match = re.search(r"--queues (\S+)", command)
    return match[1].split(",") if match else []


def test_each_process_is_lent_what_it_needs_and_no_more(tmp_path: Path) -> None:
    ensure_secrets(tmp_path)
    texts = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert {name: set(each["secrets"]) for name, each in PORTAL.items()} == {
        name: COMMON | files for name, files in LENT.items()
    }
    for name, each in COMPOSE["secrets"].items():
        assert each == {"file": f"secrets/{name}"}
        assert texts[name]
    assert texts.keys() - COMPOSE["secrets"].keys() == {"backup_private.json"}, "it belongs elsewhere"
    for process in ("owner", "web", "worker", "backup"):
        assert texts[f"{process}.database"].startswith(f"postgresql://portal_{process}:")
        assert texts[f"{process}.database"].split(":")[2].split("@")[0] not in texts["logins.sql"]
    ensure_secrets(tmp_path)
    assert texts == {path.name: path.read_text() for path in tmp_path.iterdir()}, "what is there stays"


def test_every_variable_is_in_the_readmes_table_and_none_is_a_secret() -> None:
    table = documented()
    for service, each in PORTAL.items():
        for name, value in each["environment"].items():
            bare = name.removesuffix("_FILE")
            assert name in table or table.get(bare), f"{service}: {name}"
            assert not table.get(name), f"{service}: {name} may stand in a file, so it does"
            if name.endswith("_FILE"):
                assert value.removeprefix("/run/secrets/") in each["secrets"], f"{service}: {name}"
    text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8") + DOCKERFILE
    assert not re.search(r"://[^/\s]*:[^/\s]*@", text)
    assert not re.search(r"(?i)(password|secret|key): *[^\s\[{$/]{8,}", text.replace("/run/secrets/", "/"))


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_is_walled_in(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "ports" not in service or name == "proxy"
    if name in ("web", "beat", "migrate", "database", "broker"):
        assert service["networks"] == ["inside"]
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    for target in service.get("depends_on", {}):
        assert target in SERVICES
    if "profiles" not in service and name != "migrate":
        assert service["restart"] == "always"


def test_the_image_is_closed_and_holds_no_compiler() -> None:
    final = DOCKERFILE.split("\nFROM ")[-1]
    assert re.search(r"^USER (\d+):\1$", final, re.MULTILINE)
    [health] = re.findall(r"http://127.0.0.1:8000(/\S+)'", final)
    assert health in ADDRESSES
    installed = re.search(r"apt-get install (.*?)&&", final)
    assert installed is not None
    assert set(installed[1].split()) == {"--yes", "--no-install-recommends", "ca-certificates", "libpq5", "python3"}
    for parts in re.findall(r"^(?:ENV|ARG) (.*)$", DOCKERFILE, re.MULTILINE):
        assert "KEY" not in parts
        assert "PASSWORD" not in parts


def test_what_the_image_is_made_of_is_what_may_reach_its_builder() -> None:
    ignored, *let_through = (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").split()
    assert ignored == "*"
    copied = [
        word for line in re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE) for word in line.split()
    ]
    assert sorted(copied) == sorted(each.removeprefix("!") for each in let_through if each.startswith("!"))
    for each in copied:
        assert (REPOSITORY / each).exists(), each


def test_the_readme_names_services_that_there_are() -> None:
    section = _containers_section()
    assert "docker build --file deploy/Dockerfile --tag pilotage ." in section
    called = set(re.findall(r"docker compose run --rm (\w+)", section))
    assert called == {"secrets", "manage", "backup"}
    assert called == {name for name, each in SERVICES.items() if "profiles" in each}
