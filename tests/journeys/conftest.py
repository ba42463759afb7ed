"""The whole portal as a person meets it: `manage.py up` with everything running, and a real browser."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser import NoBrowser, launch_options
from tests.kinds import starts_processes

ROOT = Path(__file__).resolve().parents[2]


COST = "cost of the journey"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """What each journey cost, in presses, fields and pages."""
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    found = {value for report in reports for name, value in getattr(report, "user_properties", ()) if name == COST}
    if found:
        terminalreporter.section("what the journeys cost a person")
        for line in sorted(found):
            terminalreporter.write_line(line)


@dataclass
class Live:
    """A running portal: where it is, who may sign in, where its logs are."""

    portal: str
    sandbox: str
    sign_ins: dict[str, str]
    state: Path
    process: subprocess.Popen[bytes]

    @property
    def simulator(self) -> str:
        return f"{self.sandbox}/procountor"

    def logs(self) -> str:
        return "\n".join(path.read_text(errors="replace") for path in sorted((self.state / "log").glob("*.log")))


def free_ports(count: int) -> int:
    """The first of `count` free ports in a row."""
    for first in range(18000 + os.getpid() % 500 * 4, 40000, 7):
        taken = []
        try:
            for port in range(first, first + count):
                probe = socket.socket()
                taken.append(probe)
                probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        finally:
            for probe in taken:
                probe.close()
        return first
    message = "no free ports in a row"
    raise AssertionError(message)


@pytest.fixture(scope="package")
@starts_processes
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    state = tmp_path_factory.mktemp("live") / "var"
    port = free_ports(12)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(state.parent),
        "PORTAL_MODE": "demo",
        "PORTAL_VAR": str(state),
    }
    output = state.parent / "up.log"
    with output.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "up", "--port", str(port)],
            cwd=ROOT,
            env=environment,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    portal = f"http://localhost:{port}"
    told = state / "demo.json"
    try:
        until = time.monotonic() + 300  # of a slow machine; a process that ends is noticed at once
        while not (told.exists() and _answers(f"{portal}/health/live")):
            assert process.poll() is None, output.read_text()
            assert time.monotonic() < until, output.read_text()
            time.sleep(0.2)
        people = {entry["email"]: entry["password"] for entry in json.loads(told.read_text())["sign_ins"]}
        yield Live(portal, f"http://localhost:{port + 1}", people, state, process)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    try:
        options = launch_options()
    except NoBrowser as missing:
        pytest.fail(str(missing))
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(**options)
        yield chromium
        chromium.close()


class Watch:
    """What a page did that it should not: script errors, violations of its content policy, answers of 500."""

    def __init__(self) -> None:
        self.complaints: list[str] = []

    def on(self, page: Page) -> Page:
        page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))
        page.on(
            "console",
            lambda message: message.type == "error" and self.complaints.append(f"console: {message.text}"),
        )
        page.on(
            "response",
            lambda answer: answer.status >= 500 and self.complaints.append(f"{answer.status}: {answer.url}"),
        )
        return page


@pytest.fixture
def watch() -> Iterator[Watch]:
    watching = Watch()
    yield watching
    assert watching.complaints == []


@pytest.fixture
def new_page(browser: Browser, watch: Watch) -> Iterator[Any]:
    """`new_page()` is a page of a person of their own: own cookies; `javascript=False` for one who has none."""
    contexts = []

    def fresh(*, javascript: bool = True, width: int = 1280) -> Page:
        context = browser.new_context(
            java_script_enabled=javascript, viewport={"width": width, "height": 900}, locale="en-GB"
        )
        context.set_default_timeout(20_000)
        contexts.append(context)
        return watch.on(context.new_page())

    yield fresh
    for context in contexts:
        context.close()


def sign_in(page: Page, live: Live, email: str) -> None:
    page.goto(f"{live.portal}/account/login/")
    page.fill("input[name=login]", email)
    page.fill("input[name=password]", live.sign_ins[email])
    page.click("main button[type=submit]")
    page.wait_for_url(lambda url: "/account/login" not in url)


def open_mail(page: Page, live: Live, subject: str) -> None:
    """The newest mail with this in its subject, as soon as it has been sent."""
    mailed = page.get_by_role("link", name=subject).first
    for _ in range(60):
        page.goto(f"{live.portal}/demo/mail/")
        if mailed.is_visible():
            break
        page.wait_for_timeout(500)
    mailed.click()
