"""The checklist as its customer meets it: forms and answers over HTTP, without JavaScript, against the real simulator."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection as database
from django.urls import reverse

from connections.jobs.models import Job
from connections.vault.models import Connection, Credential, Grant
from portal.onboarding.models import Mark, Onboarding

pytestmark = pytest.mark.usefixtures("committed_db")

CANARY = "canary-7f3a9c51e2d84b06-not-a-key"
BY_HAND = ("usage-settings", "technical-user", "rights", "m2m-only")


class Visitor:
    """Presses what the pages offer, as a browser without JavaScript would: forms, redirects, links."""

    def __init__(self, client: Any, work_off: Callable[..., int]) -> None:
        self.client, self.work_off = client, work_off
        answer = client.post("/t/aamu/connect/procountor/", {"environment": "sandbox"})
        assert answer.status_code == 302
        self.checklist: str = answer.headers["Location"]
        self.connection: str = self.checklist.removesuffix("checklist/")

    def page(self, checkpoint: str = "") -> str:
        address = f"{self.checklist}{checkpoint}/" if checkpoint else self.checklist
        answer = self.client.get(address)
        assert answer.status_code == 200
        return str(answer.content.decode())

    def press(self, checkpoint: str, what: str, **data: str) -> Any:
        return self.client.post(f"{self.checklist}{checkpoint}/{what}/", data, follow=True)

    def opened(self, page: str) -> str:
        """The slug of the checkpoint that is open on a page."""
        slugs = re.findall(r'<li class="step step-open step-\w+" id="step-([\w-]+)">', page)
        assert len(slugs) == 1
        return str(slugs[0])

    def marks(self, page: str) -> dict[str, str]:
        rows = re.findall(
            r'<li class="step[^"]*" id="step-([\w-]+)">(.*?)</li>\s*(?=<li class="step|</ol>)', page, re.S
        )
        return {slug: re.findall(r'class="mark mark-\w+" data-status="(\w+)"', row)[0] for slug, row in rows}

    def polls(self, page: str) -> str:
        """The address htmx asks, or nothing."""
        match = re.search(r'hx-get="([^"]+)"', page)
        return match[1].replace("&amp;", "&") if match else ""


@pytest.fixture
def visitor(sign_in: Callable[..., Any], alice: Any, sandbox: Any, work_off: Callable[..., int]) -> Visitor:
    return Visitor(sign_in(alice), work_off)


@pytest.fixture
def live(visitor: Visitor, sandbox: Any) -> Visitor:
    setup = sandbox.setup_company()
    for checkpoint in BY_HAND:
        visitor.press(checkpoint, "attest")
    visitor.press("api-key", "fields", api_key=setup["api_key"])
    visitor.work_off()
    for checkpoint in ("technical-user", "company"):
        visitor.press(checkpoint, "confirm")
    visitor.work_off()
    visitor.setup = setup  # type: ignore[attr-defined]
    return visitor


def test_before_you_start_offers_what_there_is(sign_in: Callable[..., Any], alice: Any, sandbox: Any) -> None:
    client = sign_in(alice)
    page = client.get("/t/aamu/connect/procountor/").content.decode()
    assert re.findall(r'name="environment" value="(\w+)"', page) == ["sandbox", "production", "test"]
    assert "Management rights" in page
    assert "Procountor stays the master" in page
    answer = client.post("/t/aamu/connect/procountor/", {"environment": "moon"})
    assert answer.status_code == 200
    assert b"id_environment_error" in answer.content or b"Select a valid choice" in answer.content
    assert not Connection.objects.exists()


def test_the_whole_walk_needs_no_javascript(visitor: Visitor, sandbox: Any) -> None:
    setup = sandbox.setup_company()
    for checkpoint in BY_HAND:
        page = visitor.page()
        assert visitor.opened(page) == checkpoint
        assert visitor.marks(page)[checkpoint] == "open"
        page = visitor.press(checkpoint, "attest").content.decode()
        assert visitor.marks(page)[checkpoint] == "attested"
    assert visitor.opened(visitor.page()) == "api-key"

    busy_page = visitor.press("api-key", "fields", api_key=setup["api_key"]).content.decode()
    assert visitor.marks(busy_page)["api-key"] == "busy"
    assert "Look again" in busy_page
    visitor.work_off()
    verified_page = visitor.page("api-key")
    assert visitor.marks(verified_page)["api-key"] == "verified"
    assert "Procountor gave us a session" in verified_page
    assert "Next: Create a technical user" in verified_page

    user = visitor.page()
    assert visitor.opened(user) == "technical-user"
    assert {slug for slug, mark in visitor.marks(user).items() if mark == "unconfirmed"} == {
        "technical-user",
        "company",
    }
    assert "Whether that is a technical user only you can tell." in user
    visitor.press("technical-user", "confirm")

    company = visitor.page()
    assert visitor.opened(company) == "company"
    assert str(setup["company_id"]) in company
    assert "Yes, this is the company we want to connect." in company
    reading = visitor.press("company", "confirm").content.decode()
    assert visitor.opened(reading) == "first-sync"
    visitor.work_off()

    done = visitor.page()
    assert "You are live." in done
    assert "7 of 7 done" in done
    assert visitor.marks(done) == {
        "usage-settings": "inferred",
        "technical-user": "verified",
        "rights": "verified",
        "m2m-only": "attested",
        "api-key": "verified",
        "company": "verified",
        "first-sync": "verified",
    }
    home = visitor.client.get("/t/aamu/").content.decode()
    assert "Up to date" in home


def test_a_finding_names_its_time_and_request(live: Visitor) -> None:
    from portal.onboarding.models import Evidence

    page = live.page("api-key")
    evidence = Evidence.objects.filter(mark__checkpoint="api-key", state="verified").first()
    assert evidence is not None
    assert str(evidence.entry_id) in page
    assert evidence.at.strftime("%Y-%m-%d %H:%M:%S UTC") in page
    assert "in Procountor" in page
    assert '<ol class="menu-path" lang="en" dir="auto">' in page


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("", "the field is empty"),
        ("   ", "the field is empty"),
        ("https://api.procountor.com/" + CANARY, "This is an address"),
        ("half " + CANARY, "in the middle"),
        ("short", "too short"),
        (CANARY + "ö", "characters in it that such a value never has"),
    ],
)
def test_what_cannot_be_a_key_is_refused_at_its_field_and_never_shown(
    typed: str, sentence: str, visitor: Visitor
) -> None:
    answer = visitor.press("api-key", "fields", api_key=typed)
    page = answer.content.decode()
    assert sentence in page
    assert 'id="id_api_key_error"' in page
    assert 'aria-invalid="true"' in page
    assert "canary" not in page
    assert not Credential.objects.exists()
    field = re.search(r'<input type="password"[^>]*>', page)
    assert field
    assert "value=" not in field[0]
    assert 'autocomplete="off"' in field[0]


def test_our_own_client_id_in_the_place_of_the_key_is_recognised(visitor: Visitor, sandbox: Any) -> None:
    page = visitor.press("api-key", "fields", api_key=sandbox.client["client_id"]).content.decode()
    assert "This is our client id" in page
    assert not Credential.objects.exists()


def test_blanks_around_a_key_are_left_out_and_said(visitor: Visitor, sandbox: Any) -> None:
    setup = sandbox.setup_company()
    page = visitor.press("api-key", "fields", api_key=f'  "{setup["api_key"]}"\n').content.decode()
    assert "We left out what is no part of the value: blanks around it, quotation marks." in page
    visitor.work_off()
    assert visitor.marks(visitor.page("api-key"))["api-key"] == "verified"


def test_a_stored_key_is_on_no_page_and_in_no_row(live: Visitor, sign_in: Callable[..., Any], alice: Any) -> None:
    key: str = live.setup["api_key"]  # type: ignore[attr-defined]
    pages = [live.page(mark.checkpoint) for mark in Mark.objects.all()]
    pages += [live.client.get(address).content.decode() for address in ("/t/aamu/", live.connection)]
    assert all(key not in page for page in pages)
    assert any(f"<code>{key[-4:]}</code>" in page for page in pages)
    with database.cursor() as cursor:
        cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
        for (table,) in cursor.fetchall():
            cursor.execute(f'SELECT count(*) FROM "{table}" t WHERE to_jsonb(t)::text LIKE %s', [f"%{key}%"])
            assert cursor.fetchone()[0] == 0, table


def test_who_has_not_shown_it_lately_is_asked_before_a_key_is_taken(
    visitor: Visitor, sign_in: Callable[..., Any], alice: Any
) -> None:
    late = sign_in(alice, lately=False)
    page = late.get(f"{visitor.checklist}api-key/").content.decode()
    assert 'type="password"' not in page
    assert "Confirm that it is you" in page
    answer = late.post(f"{visitor.checklist}api-key/fields/", {"api_key": CANARY})
    assert answer.headers["Location"].startswith("/account/reauthenticate/?next=%2Ft%2Faamu%2Fc%2F")
    assert not Credential.objects.exists()
    assert CANARY not in str(dict(late.session))


def test_the_page_asks_for_news_only_while_there_may_be_any(visitor: Visitor, sandbox: Any) -> None:
    assert visitor.polls(visitor.page()) == ""
    setup = sandbox.setup_company()
    page = visitor.press("api-key", "fields", api_key=setup["api_key"]).content.decode()
    address = visitor.polls(page)
    assert address
    assert visitor.client.get(address).status_code == 204  # nothing new: the page is left alone
    visitor.work_off()
    news = visitor.client.get(address)
    assert news.status_code == 200
    body = news.content.decode()
    assert visitor.marks(body)["api-key"] == "verified"
    assert visitor.polls(body) == ""
    assert 'id="said" hx-swap-oob="innerHTML"' in body
    assert "<html" not in body


def test_a_revoked_key_reopens_its_checkpoint_and_a_new_one_mends_it(live: Visitor, sandbox: Any) -> None:
    setup: dict[str, Any] = live.setup  # type: ignore[attr-defined]
    sandbox.revoke(setup["api_key"])
    live.press("api-key", "check")
    live.work_off()
    home = live.client.get("/t/aamu/").content.decode()
    assert "Needs you:" in home
    assert "Fix this" in home
    page = live.page()
    assert live.opened(page) == "api-key"
    marks = live.marks(page)
    assert marks.pop("api-key") == "failing"
    assert "failing" not in marks.values()
    assert "Failing since" in page
    problems = live.client.get(live.connection).content.decode()
    assert "Problems" in problems
    assert f'href="{live.checklist}api-key/"' in problems

    live.press("api-key", "fields", api_key=sandbox.new_key(setup["user_id"]))
    live.work_off()
    assert live.marks(live.page())["api-key"] == "verified"
    assert "Needs you" not in live.client.get("/t/aamu/").content.decode()


def test_checking_what_can_only_be_inferred_asks_for_its_proof(live: Visitor, sandbox: Any) -> None:
    sandbox.allow_usage(False)
    live.press("api-key", "check")
    live.work_off()
    assert live.marks(live.page())["usage-settings"] == "failing"
    sandbox.allow_usage(True)
    Grant.objects.update(wait_until=None)  # the wait after a refusal is over
    page = live.page("usage-settings")
    assert 'id="check"' in page
    live.press("usage-settings", "check")
    live.work_off()
    assert live.marks(live.page())["usage-settings"] == "inferred"


def test_what_we_check_ourselves_cannot_be_said_by_hand(visitor: Visitor) -> None:
    page = visitor.press("api-key", "attest").content.decode()
    assert "cannot be confirmed by hand" in page
    assert visitor.marks(page)["api-key"] == "open"


def test_a_company_is_not_confirmed_before_it_is_known(visitor: Visitor) -> None:
    page = visitor.press("company", "confirm").content.decode()
    assert "There is nothing to confirm yet" in page
    assert Connection.objects.get().state == "setup"


def test_what_stands_in_the_way_is_named(visitor: Visitor) -> None:
    page = visitor.page("rights")
    assert "We can check this as soon as this has passed:" in page
    assert f'href="{visitor.checklist}api-key/"' in page
    assert 'id="check"' not in page


def test_a_viewer_sees_everything_and_has_nothing_to_press(
    live: Visitor, sign_in: Callable[..., Any], vera: Any
) -> None:
    client = sign_in(vera)
    run = reverse("run", args=["aamu", Connection.objects.get().id, Connection.objects.get().runs.get().id])
    for address in (live.checklist, f"{live.checklist}api-key/", live.connection, run, "/t/aamu/", "/t/aamu/team/"):
        page = client.get(address).content.decode()
        forms = re.findall(r'<form[^>]*action="([^"]*)"', page)
        assert forms == ["/account/logout/"], address


def test_text_of_the_provider_is_shown_as_text(live: Visitor) -> None:
    Connection.objects.update(company_name="Aamu \u202eyO<script>alert(1)</script><b hx-get=/x>")
    for address in ("/t/aamu/", live.connection, live.checklist):
        page = live.client.get(address).content.decode()
        assert "[U+202E]" in page
        assert "<script>alert" not in page
        assert "<b hx-get" not in page


def test_a_checkpoint_nobody_declared_is_not_there(visitor: Visitor) -> None:
    assert visitor.client.get(f"{visitor.checklist}invented/").status_code == 404
    assert visitor.client.post(f"{visitor.checklist}rights/fields/", {"api_key": CANARY}).status_code == 404


def test_pressing_check_often_queues_it_once(live: Visitor) -> None:
    for _ in range(3):
        live.press("rights", "check")
    mark = Mark.objects.get(checkpoint="rights")
    assert Job.objects.filter(subject=mark.id, state="queued").count() == 1


def test_a_connection_without_a_checklist_is_not_there(
    sign_in: Callable[..., Any], alice: Any, connected: Any
) -> None:
    assert not Onboarding.objects.exists()
    client = sign_in(alice)
    assert client.get(f"/t/aamu/c/{connected.id}/").status_code == 200
    assert client.get(f"/t/aamu/c/{connected.id}/checklist/").status_code == 404
