"""Self-signed certificates: pinned, told by fingerprint, renewed under running connections, kept over a restart."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from tests.sandbox.pentamic.conftest import Program
from tests.sandbox_server import SandboxRefused, SandboxServer

Programs = Callable[..., Program]


def served(url: str, name: str = "localhost") -> str:
    """The fingerprint of what this door serves right now."""
    pem = ssl.get_server_certificate((name, urlsplit(url).port or 0))
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()


def plain(fingerprint: str) -> str:
    return fingerprint.replace(":", "").lower()


def test_both_doors_serve_what_the_administrator_tells(server: SandboxServer, programs: Programs) -> None:
    setup = programs().setup
    fingerprints = server.state()["fingerprints"]
    assert set(fingerprints) == {"api", "identity"}
    assert fingerprints == setup["fingerprints"]
    assert fingerprints["api"] != fingerprints["identity"]
    for door, url in (("api", setup["api_url"]), ("identity", setup["auth_url"])):
        assert (
            plain(fingerprints[door]) == served(url) == served(url, "127.0.0.1")
        )  # an address comes without a server name
        assert (server.state_dir / f"pentamic-{door}.pem").read_text() == setup["certificates"][door]


def test_nobody_trusts_a_door_without_its_own_pin(program: Program) -> None:
    assert program.ask("/customers").status_code == 200
    with Program(program.server) as stranger:
        for wrong in (True, stranger.pins["identity"], str(program.server.state_dir / "ca.pem")):
            stranger.verify = wrong
            with pytest.raises(requests.exceptions.SSLError):
                stranger.ask("/customers")


@pytest.mark.parametrize(("door", "other"), [("api", "identity"), ("identity", "api")])
def test_a_new_certificate_breaks_the_pin_at_once_even_of_an_open_connection(
    server: SandboxServer, program: Program, door: str, other: str
) -> None:
    calls = {"api": lambda: program.ask("/customers"), "identity": program.token}
    assert [call().status_code for call in calls.values()] == [200, 200]
    before = server.state()["fingerprints"]
    answer = server.control("certificate", {"door": door})
    after = server.state()["fingerprints"]
    assert answer["fingerprint"] == after[door] != before[door]
    assert after[other] == before[other]
    with pytest.raises(requests.exceptions.SSLError):
        calls[door]()
    assert calls[other]().status_code == 200
    Path(program.pins[door]).write_text(answer["certificate"])
    program.adapters["https://"].close()
    assert calls[door]().status_code == 200


def test_the_door_without_tls_has_no_certificate(server: SandboxServer, program: Program) -> None:
    for door in ("plain", "nonsense"):
        with pytest.raises(SandboxRefused, match="api and identity"):
            server.control("certificate", {"door": door})
    program.base = program.setup["plain_url"]
    assert program.ask("/customers").status_code == 200


@pytest.mark.process
def test_a_restart_keeps_certificates_clients_tokens_and_books(tmp_path: Path) -> None:
    server = SandboxServer(tmp_path, simulator="pentamic").start()
    with Program(server) as program:
        server.control("certificate", {"door": "api"})
        Path(program.pins["api"]).write_text(server.control("setup", {})["certificates"]["api"])
        program.enter()
        answer = program.order("POST", "/customers", {"name": "Quán Thử", "taxCode": "0123456789"})
        before = (server.hosts, server.state()["fingerprints"], program.ask("/customers").content)
        server.restart()
        assert (server.hosts, server.state()["fingerprints"], program.ask("/customers").content) == before
        assert answer.status_code == 200
        assert server.state()["created"] == {"customers": 1, "invoices": 0}
        assert program.token().status_code == 200
    assert server.stop() == 0
