"""Where a provider's sandbox is, as PORTAL_SANDBOX_HOSTS says it; and what is said when it says nonsense."""

from __future__ import annotations

import json

import pytest

from connections.providers import registry
from connections.spec.provider import Environment
from portal import env
from portal.env import SandboxHosts

PROCOUNTOR = registry.all_providers()["procountor"]


@pytest.mark.parametrize(
    ("parts", "api", "token"),
    [
        ({"api": "https://x.example/api"}, "https://x.example/latest/api", "https://x.example/api/oauth/token"),
        ({"api": "https://x.example/api/"}, "https://x.example/latest/api", "https://x.example/api/oauth/token"),
        ({"api": "http://127.0.0.1:9"}, "http://127.0.0.1:9/latest/api", "http://127.0.0.1:9/api/oauth/token"),
        (
            {"api": "https://x.example/v2402/api"},
            "https://x.example/v2402/api",
            "https://x.example/v2402/api/oauth/token",
        ),
        (
            {"api": "https://x.example/api", "token": "https://id.example/token"},
            "https://x.example/latest/api",
            "https://id.example/token",
        ),
        (
            {"api": "https://x.example/api", "token": "https://id.example"},
            "https://x.example/latest/api",
            "https://id.example/api/oauth/token",
        ),
    ],
)
def test_parts_that_are_left_out_are_those_of_the_provider(settings, parts, api, token):
    settings.SANDBOX_HOSTS = {"procountor": SandboxHosts(**parts)}
    hosts = registry.hosts_of(PROCOUNTOR, "sandbox")
    assert (hosts.api, hosts.token) == (api, token)
    assert hosts.loopback


def test_loopback_is_allowed_for_the_sandbox_alone(settings):
    settings.SANDBOX_HOSTS = {"procountor": SandboxHosts(api="http://127.0.0.1:9")}
    for environment in (Environment.PRODUCTION, Environment.TEST):
        hosts = registry.hosts_of(PROCOUNTOR, environment)
        assert not hosts.loopback
        assert hosts.api.startswith("https://")
        assert hosts.token.startswith("https://")


def test_without_hosts_there_is_no_sandbox(settings):
    settings.SANDBOX_HOSTS = {}
    assert registry.environments(PROCOUNTOR) == [Environment.PRODUCTION, Environment.TEST]
    with pytest.raises(LookupError, match="PORTAL_SANDBOX_HOSTS"):
        registry.hosts_of(PROCOUNTOR, "sandbox")


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("not json", "must be JSON"),
        ('["procountor"]', "must be JSON"),
        ('{"procountor": "https://x.example"}', "must be JSON"),
        ('{"procountor": {"apy": "https://x.example"}}', "must be JSON"),
        ('{"procountor": {"api": "x.example"}}', "procountor.api is not"),
        ('{"procountor": {"api": 7}}', "procountor.api is not"),
        ('{"procountor": {"api": "https://x.example", "ca": "/nowhere/ca.pem"}}', "procountor.ca names no file"),
    ],
)
def test_nonsense_is_refused_in_one_line(monkeypatch, value, sentence):
    monkeypatch.setenv("PORTAL_SANDBOX_HOSTS", value)
    with pytest.raises(env.BadEnvironment, match=sentence) as caught:
        env.sandbox_hosts()
    assert "\n" not in str(caught.value)


def test_what_is_well_formed_is_taken(monkeypatch, tmp_path):
    ca = tmp_path / "ca.pem"
    ca.touch()
    hosts = {"procountor": {"api": "https://localhost:8002/api", "ca": str(ca)}}
    monkeypatch.setenv("PORTAL_SANDBOX_HOSTS", json.dumps(hosts))
    assert env.sandbox_hosts() == {"procountor": SandboxHosts(api="https://localhost:8002/api", ca=str(ca))}
