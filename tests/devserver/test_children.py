"""What each process of a start is told: in production mode and in the demo, with a mail server and without."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from connections.jobs import registry
from portal.devserver.children import Plan

KEK, KEYSET = {"PORTAL_KEK_FILE": "/keys/kek"}, {"PORTAL_WEB_KEYSET_FILE": "/keys/web"}
SMTP = {"PORTAL_SMTP_URL": "smtp://mail.example"}


def environments(state: Path, mode: str, smtp: Mapping[str, str]) -> dict[str, Mapping[str, str]]:
    """Each process's environment by its name."""
    return {child.name: child.environment for child in plan(state, mode, smtp).processes()}


def plan(state: Path, mode: str, smtp: Mapping[str, str]) -> Plan:
    (state / "keys").mkdir()
    addresses = dict.fromkeys(("owner_url", "web_url", "worker_url", "broker_url"), "")
    return Plan(mode=mode, port=1, state=state, **addresses, secret_key={}, web_keyset=KEYSET, kek=KEK, smtp=smtp)


def processes_with(environments: Mapping[str, Mapping[str, str]], variable: str) -> set[str]:
    return {name for name, environment in environments.items() if variable in environment}


def test_in_production_mode_beat_is_a_process_that_has_no_key(tmp_path: Path) -> None:
    names = environments(tmp_path, "production", SMTP)
    assert processes_with(names, "PORTAL_KEK_FILE") == {
        "worker-interactive",
        "worker-sync",
        "worker-exports",
        "worker-mail",
    }
    assert processes_with(names, "PORTAL_WEB_KEYSET_FILE") == {"web"}
    assert processes_with(names, "PORTAL_SMTP_URL") == {"worker-mail"}
    assert names["beat"]["PORTAL_PROCESS"] == "beat"
    assert set(names) == {"web", "worker-interactive", "worker-sync", "worker-exports", "worker-mail", "beat"}


@pytest.mark.parametrize(
    ("smtp", "workers"),
    [({}, {"worker-interactive", "worker-sync"}), (SMTP, {"worker-interactive", "worker-sync", "worker-mail"})],
    ids=["mails to a page", "a mail server"],
)
def test_the_demo_runs_a_worker_for_mail_only_where_a_mail_server_may_hang(
    tmp_path: Path, smtp: Mapping[str, str], workers: set[str]
) -> None:
    names = environments(tmp_path, "demo", smtp)
    assert set(names) == {"web", *workers}
    assert processes_with(names, "PORTAL_KEK_FILE") == workers
    assert processes_with(names, "PORTAL_SMTP_URL") == workers - {"worker-interactive", "worker-sync"}


@pytest.mark.parametrize("mode", ["demo", "production"])
@pytest.mark.parametrize("smtp", [{}, SMTP], ids=["mails to a page", "a mail server"])
def test_every_queue_is_served_once_and_one_process_rings(tmp_path: Path, mode: str, smtp: Mapping[str, str]) -> None:
    children = plan(tmp_path, mode, smtp).processes()
    served = [
        queue
        for child in children
        if "--queues" in child.arguments
        for queue in child.arguments[child.arguments.index("--queues") + 1].split(",")
    ]
    assert sorted(served) == sorted(registry.QUEUES)
    assert sum("--beat" in child.arguments or "beat" in child.arguments for child in children) == 1
