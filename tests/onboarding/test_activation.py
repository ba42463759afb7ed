"""Several companies at once: nothing is asked before a person says for whom, nothing decided before a person has seen it."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.db import connection as database
from django.utils import timezone

from connections.jobs.models import Job
from connections.jobs.tasks import work
from connections.sync.models import Record, SyncRun
from connections.tenancy.models import AuditEvent
from connections.transport.models import ActivationRequest, RequestLogEntry
from connections.vault.models import ClientRegistration, Connection, Credential
from portal.onboarding.marks import CHECK
from portal.onboarding.models import Mark, Onboarding
from tests.conftest import joined
from tests.onboarding.conftest import CLIENT_SECRET
from tests.roles import acting_as
from tests.signing import House

pytestmark = pytest.mark.usefixtures("committed_db")

REQUEST_ID = "request-canary-4711"
ARRIVED = "/callback/procountor/activation/sandbox/"


class Chooser:
    """Alice, whom the provider sent here with a request."""

    def __init__(self, client: Any, work_off: Callable[..., int]) -> None:
        self.client, self.work_off = client, work_off
        self.place = ""

    def arrive(self, **brought: str) -> Any:
        return self.client.get(ARRIVED, brought or {"requestId": REQUEST_ID})

    def take(self, tenant: str = "aamu", request_id: str = REQUEST_ID) -> Any:
        answer = self.client.post(ARRIVED, {"requestId": request_id, "tenant": tenant})
        self.place = answer.headers.get("Location", "")
        return answer

    def decide(self, **data: Any) -> Any:
        return self.client.post(f"{self.place}decide/", data, follow=True)

    def page(self) -> str:
        answer = self.client.get(self.place)
        assert answer.status_code == 200
        return str(answer.content.decode())

    def polls(self) -> str:
        match = re.search(r'hx-get="([^"]+)"', self.page())
        return match[1].replace("&amp;", "&") if match else ""


@pytest.fixture
def chooser(signing: House, alice: Any, sign_in: Any, work_off: Callable[..., int]) -> Chooser:
    """The address that the provider names is one of hers; test_activation_consent.py tries all others."""
    EmailAddress.objects.create(user=alice, email="kaisa@aamu.example", verified=True)
    return Chooser(sign_in(alice), work_off)


@pytest.fixture
def waiting_chooser(chooser: Chooser) -> Chooser:
    """The proposal has been fetched."""
    assert chooser.take().status_code == 302
    chooser.work_off()
    return chooser


def test_the_whole_way(chooser: Chooser, signing: House) -> None:
    answer = chooser.arrive()
    assert answer.status_code == 200
    assert answer.headers["Referrer-Policy"] == "strict-origin"
    assert "no-store" in answer.headers["Cache-Control"]
    assert 'value="aamu"' in answer.content.decode()
    chooser.work_off()
    assert signing.server.asked == []

    chooser.take()
    assert "appears here by itself" in chooser.page()
    news = chooser.polls()
    assert chooser.client.get(news).status_code == 204
    chooser.work_off()
    assert chooser.client.get(news).status_code == 200
    page = chooser.page()
    for words in ("Kaisa Kivi", "kaisa@aamu.example", "Books 101", "Books 102"):
        assert words in page
    assert " checked" not in page
    assert signing.decided == []

    deciding = chooser.decide(company="101").content.decode()
    assert "We tell Procountor your decision" in deciding
    chooser.work_off()
    assert signing.decided == [{"approve": ["101"], "reject": [{"companyId": "102", "reason": "Not wanted."}]}]
    connection = Connection.objects.get()
    assert (connection.company_id, connection.company_name, connection.auth_method) == ("101", "Books 101", "m2m")
    assert connection.state == "setup"
    assert Credential.objects.get().name == "api_key"
    assert dict(Mark.objects.values_list("checkpoint", "state"))["api-key"] == "verified"
    done = chooser.page()
    assert f'href="/t/aamu/c/{connection.id}/checklist/"' in done
    assert "Declined" in done
    assert "hx-get" not in done
    assert '<h2 class="company-name"><bdi>Books 101</bdi></h2>' in done
    assert chooser.client.get(f"/t/aamu/c/{connection.id}/checklist/").status_code == 200
    assert not Record.objects.exists()
    assert not SyncRun.objects.exists()


def test_it_is_asked_with_our_registration_and_logged(waiting_chooser: Chooser, signing: House) -> None:
    [line] = signing.asked("/integrations/")
    assert line.asked.endswith(f"/integrations/{REQUEST_ID}")
    basic = re.search(rb"(?i)authorization: basic (\S+)", line.head)
    assert basic
    assert b64decode(basic[1]).decode() == f"client-1:{CLIENT_SECRET}"
    entry = RequestLogEntry.objects.get()
    assert (entry.connection_id, entry.operation, entry.status) == (None, "integration.show", 200)
    assert entry.path_template == "/integrations/{requestId}"


def test_neither_the_request_id_nor_a_key_stands_open_anywhere(
    waiting_chooser: Chooser, signing: House, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    waiting_chooser.decide(company="101")
    waiting_chooser.work_off()
    log = "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith("django.db"))
    for secret in (REQUEST_ID, "key-canary-of-101"):
        assert secret not in waiting_chooser.page()
        assert secret not in log
        with database.cursor() as cursor:
            cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            for (table,) in cursor.fetchall():
                cursor.execute(f'SELECT count(*) FROM "{table}" t WHERE t::text LIKE %s', [f"%{secret}%"])
                assert cursor.fetchone() == (0,), table
    assert bytes(ActivationRequest.objects.get().request_ciphertext) == b""


def test_declining_all_connects_nothing(waiting_chooser: Chooser, signing: House) -> None:
    assert "Choose at least one company" in waiting_chooser.decide().content.decode()
    assert not Job.objects.filter(kind="transport.activation_decide").exists()
    waiting_chooser.decide(none="yes", company="101")
    waiting_chooser.work_off()
    assert [each["companyId"] for each in signing.decided[0]["reject"]] == ["101", "102"]
    assert not Connection.objects.exists()
    assert "All were declined" in waiting_chooser.page()


def test_a_company_that_was_not_proposed_cannot_be_chosen(waiting_chooser: Chooser, signing: House) -> None:
    assert (
        "Choose from the companies that are listed" in waiting_chooser.decide(company=["101", "999"]).content.decode()
    )
    waiting_chooser.work_off()
    assert signing.decided == []


def test_it_is_decided_once(waiting_chooser: Chooser, signing: House) -> None:
    waiting_chooser.decide(company="101")
    assert "has been decided already" in waiting_chooser.decide(company="102").content.decode()
    waiting_chooser.work_off()
    assert len(signing.decided) == 1
    assert Connection.objects.get().company_id == "101"


def test_a_key_of_another_company_is_recognised(waiting_chooser: Chooser, signing: House) -> None:
    signing.company_id = 102
    waiting_chooser.decide(company="101")
    waiting_chooser.work_off()
    assert dict(Mark.objects.values_list("checkpoint", "state"))["api-key"] == "failing"


def test_a_company_without_a_key_is_named(waiting_chooser: Chooser, signing: House) -> None:
    behave = signing.server.behave
    signing.server.behave = lambda line: (
        line.answer(200, {"companiesIntegrated": []}) if line.asked.startswith("PUT") else behave(line)
    )
    waiting_chooser.decide(company="101")
    waiting_chooser.work_off()
    page = waiting_chooser.page()
    assert "No key came" in page
    assert "hx-get" not in page
    assert not Connection.objects.exists()


@pytest.mark.parametrize(
    ("status", "sentence", "state"),
    [
        (410, "no longer valid at the provider", "expired"),
        (404, "does not know this request", "failed"),
        (401, "does not accept our registration", "failed"),
        (403, "does not accept our registration", "failed"),
    ],
)
def test_a_request_that_cannot_be_shown_says_why(
    status: int, sentence: str, state: str, chooser: Chooser, signing: House
) -> None:
    signing.integration_status = status
    chooser.take()
    chooser.work_off()
    assert sentence in chooser.page()
    assert ActivationRequest.objects.get().state == state
    assert RequestLogEntry.objects.get().status == status


@pytest.mark.parametrize(
    ("status", "sentence"),
    [(410, "no longer valid"), (503, "answer was lost"), (401, "does not accept our registration")],
)
def test_a_decision_that_cannot_be_told_connects_nothing(
    status: int, sentence: str, waiting_chooser: Chooser, signing: House
) -> None:
    signing.integration_status = status
    waiting_chooser.decide(company="101")
    waiting_chooser.work_off()
    assert sentence in waiting_chooser.page()
    assert not Connection.objects.exists()
    assert len([line for line in signing.server.asked if line.asked.startswith("PUT")]) == 1


def test_a_provider_that_has_trouble_is_asked_again_for_a_while(chooser: Chooser, signing: House) -> None:
    signing.integration_status = 503
    chooser.take()
    chooser.work_off()
    assert Job.objects.get(kind="transport.activation_show").state == "queued"
    Job.objects.update(due_at=timezone.now())
    ActivationRequest.objects.update(asked_at=timezone.now() - timedelta(minutes=3))
    chooser.work_off()
    assert "did not answer for 2 minutes" in chooser.page()


def test_a_proposal_that_has_run_out_is_not_decided(waiting_chooser: Chooser, signing: House) -> None:
    ActivationRequest.objects.update(expires_at=timezone.now() - timedelta(minutes=1))
    assert "no longer valid" in waiting_chooser.decide(company="101").content.decode()
    waiting_chooser.work_off()
    assert signing.decided == []


def test_a_worker_that_dies_over_a_decision_is_not_followed_by_a_second_call(
    waiting_chooser: Chooser, signing: House
) -> None:
    waiting_chooser.decide(company="101")
    Job.objects.filter(kind="transport.activation_decide").update(
        state="running", starts=1, lease_until=timezone.now() - timedelta(minutes=1)
    )
    waiting_chooser.work_off()
    assert signing.decided == []
    assert "answer was lost" in waiting_chooser.page()


def test_a_parked_job_stops_the_waiting(chooser: Chooser) -> None:
    from connections.jobs.services import claim, park

    chooser.take()
    job = Job.objects.get(kind="transport.activation_show")
    with acting_as("worker"):
        lease = claim(job.id)
        assert lease is not None
        park(lease, "gave up")
    assert "interrupted" in chooser.page()
    assert chooser.polls() == ""


# -- who may -----------------------------------------------------------------------------------------------------------


def test_who_is_not_signed_in_is_asked_to_and_nothing_is_carried_along(client: Any, chooser: Chooser) -> None:
    answer = client.get(ARRIVED, {"requestId": REQUEST_ID})
    assert answer.status_code == 403
    assert REQUEST_ID not in answer.content.decode()
    assert client.post(ARRIVED, {"requestId": REQUEST_ID, "tenant": "aamu"}).status_code == 403
    assert not ActivationRequest.objects.exists()


def test_only_companies_one_may_act_for_are_offered(chooser: Chooser, kaste: Any, alice: Any) -> None:
    joined(alice, kaste, "viewer")
    assert "Kaste" not in chooser.arrive().content.decode()
    for tenant in ("kaste", "nobody", ""):
        assert chooser.take(tenant).status_code == 400
    assert not ActivationRequest.objects.exists()


def test_a_viewer_is_told_whom_to_ask(signing: House, vera: Any, sign_in: Any) -> None:
    page = sign_in(vera).get(ARRIVED, {"requestId": REQUEST_ID}).content.decode()
    assert "your role lets you connect none" in page
    assert "<form" not in page.partition("<main")[2]


def test_what_cannot_be_a_request_is_refused_without_asking(chooser: Chooser, signing: House) -> None:
    assert chooser.client.get(ARRIVED).status_code == 400
    assert chooser.client.get(f"{ARRIVED}?requestId=a&requestId=b").status_code == 400
    for odd in ("..", ".", "a/b", "a?b", "é", "x" * 300):
        answer = chooser.take(request_id=odd)
        assert answer.status_code == 400, odd
    answer = chooser.arrive(error="access_denied", error_description="call 555-0100")
    assert answer.status_code == 400
    assert "declined at the provider" in answer.content.decode()
    assert "555-0100" not in answer.content.decode()
    chooser.work_off()
    assert signing.server.asked == []


@pytest.mark.parametrize("address", ["/callback/procountor/activation/moon/", "/callback/nobody/activation/sandbox/"])
def test_elsewhere_there_is_nothing(address: str, chooser: Chooser) -> None:
    assert chooser.client.get(address, {"requestId": REQUEST_ID}).status_code == 404


def test_without_our_registration_nothing_is_asked(chooser: Chooser) -> None:
    ClientRegistration.objects.all().delete()
    answer = chooser.take()
    assert answer.status_code == 400
    assert "Our own registration at the provider is missing" in answer.content.decode()


def test_a_decision_needs_a_person_who_has_shown_it_lately(
    waiting_chooser: Chooser, alice: Any, sign_in: Callable[..., Any], signing: House
) -> None:
    waiting_chooser.client = sign_in(alice, lately=False)
    page = waiting_chooser.page()
    assert "Confirm that it is you" in page
    assert 'type="checkbox"' not in page
    answer = waiting_chooser.client.post(f"{waiting_chooser.place}decide/", {"company": "101"})
    assert answer.headers["Location"].startswith("/account/reauthenticate/")
    waiting_chooser.work_off()
    assert signing.decided == []


def test_it_is_done_twice_without_harm_and_stands_in_the_audit_trail(waiting_chooser: Chooser) -> None:
    from connections.jobs.services import enqueue
    from connections.transport.oauth.activation import ACTIVATION_ENDED

    waiting_chooser.decide(company="101")
    waiting_chooser.work_off()
    row = ActivationRequest.objects.get()
    enqueue(kind=ACTIVATION_ENDED, subject=row.id, tenant_id=row.tenant_id)
    waiting_chooser.work_off()
    assert Onboarding.objects.count() == 1
    actions = set(AuditEvent.objects.values_list("action", flat=True))
    assert {"activation.asked", "activation.decided", "connection.opened", "credential.set"} <= actions


def test_what_the_provider_says_is_shown_as_text(chooser: Chooser, signing: House) -> None:
    behave = signing.server.behave
    planted = "<script>alert(1)</script>\u202e"

    def plants(line: Any) -> None:
        if not line.asked.startswith("GET"):
            return behave(line)
        who = {"email": "kaisa@aamu.example", "userFullName": planted}
        companies = [{"companyId": planted, "extraInfo": planted}]
        line.answer(200, {"initiator": who, "companiesToIntegrate": companies, "expires": "2099-01-01T00:00:00"})

    signing.server.behave = plants
    chooser.take()
    chooser.work_off()
    page = chooser.page()
    assert "<script>alert" not in page
    assert "[U+202E]" in page


def test_five_hundred_companies_pass(chooser: Chooser, signing: House) -> None:
    """Each is a connection of its own, so what one provider key is refused for holds no other back."""
    signing.offered = tuple(range(1001, 1501))
    chooser.take()
    chooser.work_off()
    chooser.decide(company=[str(company) for company in signing.offered])
    calls_before = len(signing.server.asked)
    with acting_as("worker"):
        for kind in ("transport.activation_decide", "transport.activation_ended"):
            work(str(Job.objects.get(kind=kind).id))
    assert Connection.objects.count() == Credential.objects.count() == Onboarding.objects.count() == 500
    assert len(signing.server.asked) == calls_before + 1
    # Their checks: the first ones are refused, and the next one is asked all the same.
    checks = list(Job.objects.filter(kind=CHECK, state="queued").order_by("due_at")[:6])
    assert Job.objects.filter(kind=CHECK, state="queued").count() == 500
    signing.token_status, signing.token_body = 401, {"errors": []}
    for number, job in enumerate(checks):
        if number == 5:
            signing.token_status, signing.token_body = 200, {"access_token": "a-1", "expires_in": 3600}
        with acting_as("worker"):
            work(str(job.id))
    assert len(signing.asked("/oauth/token")) == 6
