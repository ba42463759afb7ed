"""Every alert fires in one case of its own, and none where all is well; Prometheus's own promtool is check where it is there."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import generate_latest

from connections.jobs.registry import QUEUES
from connections.providers.registry import all_providers
from connections.sync.models import RunState
from portal.notices.models import MailState
from portal.operations import metrics
from tests.roles import acting_as

RULES = Path(__file__).resolve().parents[2] / "deploy" / "prometheus" / "alerts.yaml"
CASES = RULES.with_name("alerts_test.yaml")
SERIES = re.compile(r"(\w+)(?:\{(.*)\})?")


def alerts() -> dict[str, Any]:
    return {rule["alert"]: rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]}


def cases() -> list[Any]:
    loaded: list[Any] = yaml.safe_load(CASES.read_text())["tests"]
    return loaded


def test_each_alert_fires_in_a_case_of_its_own_and_none_where_all_is_well() -> None:
    well, *others = cases()
    assert {each["alertname"] for each in well["alert_rule_test"]} == set(alerts())
    assert not any(each["exp_alerts"] for each in well["alert_rule_test"])
    assert [case["name"] for case in others] == list(alerts())
    for case in others:
        [check] = case["alert_rule_test"]
        [alert] = check["exp_alerts"]
        assert check["alertname"] == case["name"]
        assert alert["exp_labels"]["severity"] == alerts()[case["name"]]["labels"]["severity"]
        # A rule that asks for something that no case feeds it would fire, or not, for another reason.
        asks_for = set(re.findall(r"\bpilotage_\w+", alerts()[case["name"]]["expr"]))
        assert asks_for <= {SERIES.match(each["series"])[1] for each in case["input_series"]}, case["name"]  # type: ignore[index]


def test_the_cases_use_words_that_the_portal_says(committed_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "CACHED_SECONDS", 0.0)
    metrics.observe_page("home", 200, 0.1)
    with acting_as("web"):
        text = generate_latest(metrics.registry).decode()
    words = {"queue": set(QUEUES), "provider": set(all_providers()), "of": {"server", "connection"}}
    states = {"pilotage_runs_last_hour": set(RunState.values), "pilotage_mails": set(MailState.values)}
    for case in cases():
        for each in case["input_series"]:
            name, labels = SERIES.fullmatch(each["series"]).groups()  # type: ignore[union-attr]
            assert name == "up" or f"# TYPE {re.sub('_(bucket|count)$', '', name)}" in text, name
            for label, value in re.findall(r'(\w+)="([^"]*)"', labels or ""):
                allowed = states.get(name, words.get(label)) if label in ("state", *words) else None
                assert allowed is None or value in allowed, each["series"]


@pytest.mark.process
def test_promtool_agrees() -> None:
    promtool = shutil.which("promtool")  # in Debian's package prometheus
    if promtool is None:
        assert "promtool test rules" in CASES.read_text(
            encoding="utf-8"
        )  # says by which command an operator does this
        return
    for words in (["test", "rules", str(CASES)], ["check", "rules", str(RULES)]):
        done = subprocess.run([promtool, *words], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
