"""Disconnecting: reading ends at once, the access is given back, what is stored goes, and nothing can be done afterwards."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from connections.jobs.models import Job
from connections.jobs.services import claim, park
from connections.providers import registry
from connections.spec.provider import CredentialField, FieldKind
from connections.sync.models import Schedule, SyncRun, Trigger
from connections.sync.services import start_run
from connections.tenancy.models import AuditEvent
from connections.tenancy.scope import SYSTEM, tenant_scope
from connections.transport.http import session as http_session
from connections.transport.models import AuthorizationAttempt
from connections.transport.oauth import revocation
from connections.vault.models import Connection, Credential, Exemption, Grant
from connections.vault.services import ActionRefused
from portal.onboarding.models import Mark
from tests.exemptions import allow
from tests.onboarding.conftest import Signer
from tests.roles import acting_as
from tests.signing import House, offer, parameters

pytestmark = pytest.mark.usefixtures("committed_db")


def place(signer: Signer) -> str:
    return f"/t/aamu/c/{signer.connection.id}/"


def connect(signer: Signer) -> None:
    signer.come_back(state=parameters(signer.address())["state"], code="c")
    signer.work_off()


def disconnect(signer: Signer) -> str:
    answer = signer.client.post(f"{place(signer)}disconnect/", follow=True)
    assert answer.status_code == 200
    return str(answer.content.decode())


def departure_of(signer: Signer) -> tuple[str, str]:
    return Connection.objects.values_list("state", "leaving").get(id=signer.connection.id)


def test_the_whole_way_out(bound: Signer, signing: House) -> None:
    connect(bound)
    page = bound.client.get(f"{place(bound)}disconnect/").content.decode()
    assert "This cannot be undone" in page
    assert "Delete the technical user." in page
    assert Connection.objects.get().state == "connected"

    page = disconnect(bound)
    assert "being revoked" in page
    news = re.findall(r'hx-get="([^"]+)"', page)[0].replace("&amp;", "&")
    assert bound.client.get(news).status_code == 204
    bound.work_off()
    done = bound.client.get(news).content.decode()
    assert "hx-get" not in done
    assert "Revoked at the provider" in done
    assert "Delete the technical user." in done
    assert len(signing.asked("/logout")) == 1
    grant = Grant.objects.get()
    assert (grant.access_ciphertext, grant.refresh_ciphertext) == (None, None)
    assert not Credential.objects.exists()
    assert "Disconnected: nothing is read." in bound.client.get("/t/aamu/").content.decode()
    assert AuditEvent.objects.filter(action="connection.disconnected", actor_name="alice@aamu.example").count() == 1
    # To look at, everything is still there.
    assert bound.client.get(bound.checklist).status_code == 200
    assert bound.client.get(f"{place(bound)}disconnect/").status_code == 302


def test_a_run_under_way_and_the_next_slot_end_with_it(bound: Signer) -> None:
    with tenant_scope(bound.connection.tenant_id):
        run = start_run(connection=bound.connection, trigger=Trigger.HAND, actor=SYSTEM)
    assert Job.objects.filter(kind="sync.scheduled", state="queued").exists()
    disconnect(bound)
    assert SyncRun.objects.get(id=run.id).state == "cancelled"
    bound.work_off()
    assert not Job.objects.filter(kind__startswith="sync.", state="queued").exists()


def test_a_provider_that_does_not_take_it_back_is_named(bound: Signer, signing: House) -> None:
    connect(bound)
    behave = signing.server.behave
    signing.server.behave = lambda line: line.answer(400, {}) if "/logout" in line.asked else behave(line)
    disconnect(bound)
    bound.work_off()
    assert departure_of(bound) == ("disconnected", "failed")
    assert "still opens your books" in bound.client.get(place(bound)).content.decode()
    bound.client.post(f"{place(bound)}departure/end/")
    bound.work_off()
    assert departure_of(bound) == ("disconnected", "failed")
    assert "did not take the access back" in bound.client.get(place(bound)).content.decode()
    assert Grant.objects.get().access_ciphertext is None


def test_a_parked_departure_destroys_all_the_same(bound: Signer) -> None:
    connect(bound)
    disconnect(bound)
    with acting_as("worker"):
        lease = claim(Job.objects.get(kind=revocation.REVOKE).id)
        assert lease is not None
        park(lease, "gave up")
    assert departure_of(bound) == ("disconnected", "failed")
    assert Grant.objects.get().refresh_ciphertext is None


def test_only_an_owner_disconnects(bound: Signer, bob: Any, sign_in: Callable[..., Any]) -> None:
    operator = sign_in(bob)
    for answer in (operator.get(f"{place(bound)}disconnect/"), operator.post(f"{place(bound)}disconnect/")):
        assert answer.status_code == 404
    assert 'id="to-disconnect"' not in operator.get(place(bound)).content.decode()
    assert 'id="to-disconnect"' in bound.client.get(place(bound)).content.decode()
    assert departure_of(bound) == ("connected", "")


@pytest.mark.parametrize(
    ("address", "data"),
    [
        ("sync/", {}),
        ("schedule/change/", {"kind": "interval", "every_hours": "1"}),
        ("pause/", {"reason": "a holiday"}),
        ("checklist/api-key/check/", {}),
        ("checklist/api-key/fields/", {"api_key": "k" * 40}),
        ("checklist/usage-settings/attest/", {}),
        ("checklist/company/confirm/", {}),
        ("checklist/api-key/connect/key-login/", {}),
    ],
)
def test_afterwards_nothing_can_be_done_with_it(
    address: str, data: dict[str, str], key_signer: Signer, signing: House
) -> None:
    disconnect(key_signer)
    key_signer.work_off()
    before = list(Mark.objects.order_by("id").values())
    answer = key_signer.client.post(place(key_signer) + address, data, follow=True)
    assert "This connection has been disconnected. To go on, connect the system anew" in answer.content.decode()
    key_signer.work_off()
    assert list(Mark.objects.order_by("id").values()) == before
    assert not Credential.objects.exists()
    assert not AuthorizationAttempt.objects.exists()
    assert not SyncRun.objects.exists()
    assert signing.server.asked == []
    assert not Schedule.objects.filter(every_hours=1).exists()


def test_afterwards_its_pages_offer_nothing(key_signer: Signer) -> None:
    disconnect(key_signer)
    key_signer.work_off()
    for address in (key_signer.checklist, f"{key_signer.checklist}api-key/", place(key_signer)):
        page = key_signer.client.get(address).content.decode()
        assert re.findall(r'<form[^>]*action="([^"]*)"', page) == ["/account/logout/"], address
        assert "Your role lets you look" not in page


def test_a_check_that_was_asked_for_before_asks_nobody(key_signer: Signer, signing: House) -> None:
    key_signer.client.post(f"{key_signer.checklist}api-key/fields/", {"api_key": "k" * 40})
    disconnect(key_signer)
    key_signer.work_off()
    assert signing.server.asked == []
    mark = Mark.objects.get(checkpoint="api-key")
    assert mark.checked_at == mark.asked_at


def test_a_code_that_waits_is_not_used_any_more(signer: Signer, signing: House) -> None:
    signer.come_back(state=parameters(signer.address())["state"], code="c")
    disconnect(signer)
    signer.work_off()
    assert signing.asked("/oauth/token") == []
    assert AuthorizationAttempt.objects.get().reason_code == "left"


@pytest.mark.parametrize("which", ["signer", "key_signer"])
def test_what_is_exchanged_while_it_is_disconnected_does_not_stay(
    which: str, request: pytest.FixtureRequest, signing: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    signer: Signer = request.getfixturevalue(which)
    signer.come_back(state=parameters(signer.address())["state"], code="c")
    send = http_session.send

    def slowly(**what: Any) -> Any:
        if "/oauth/" in what["url"]:
            # While the provider answers, the connection is disconnected and the departure done to its end.
            with acting_as("owner"):
                Connection.objects.update(state="disconnected", leaving="nothing")
        return send(**what)

    monkeypatch.setattr(http_session, "send", slowly)
    signer.work_off()
    assert AuthorizationAttempt.objects.get().reason_code == "left"
    assert not Credential.objects.exists()
    assert not Grant.objects.filter(refresh_ciphertext__isnull=False).exists()
    assert not Grant.objects.filter(access_ciphertext__isnull=False).exists()
    assert len(signing.asked("/logout")) == (1 if which == "signer" else 0)


def test_an_exchange_that_broke_is_not_tried_again(signer: Signer, signing: House) -> None:
    signer.come_back(state=parameters(signer.address())["state"], code="c")
    Job.objects.filter(kind="transport.exchange").update(failures=1)
    signer.work_off()
    assert signing.server.asked == []
    assert "Our own side was interrupted" in signer.page()


def test_a_parked_exchange_stops_the_waiting(signer: Signer) -> None:
    signer.come_back(state=parameters(signer.address())["state"], code="c")
    with acting_as("worker"):
        lease = claim(Job.objects.get(kind="transport.exchange").id)
        assert lease is not None
        park(lease, "gave up")
    signer.work_off()
    page = signer.page()
    assert "Our own side was interrupted" in page
    assert "hx-get" not in page


def test_a_logout_that_fails_does_not_cost_the_new_login(bound: Signer, signing: House) -> None:
    connect(bound)
    behave = signing.server.behave
    signing.server.behave = lambda line: line.answer(400, {}) if "/logout" in line.asked else behave(line)
    connect(bound)
    assert AuthorizationAttempt.objects.latest("started_at").state == "exchanged"
    assert Mark.objects.get(checkpoint="login").state == "verified"


def test_one_connects_anew_from_home(bound: Signer) -> None:
    disconnect(bound)
    bound.work_off()
    page = bound.client.get(place(bound)).content.decode()
    assert 'href="/t/aamu/connect/procountor/"' in page
    answer = bound.client.post("/t/aamu/connect/procountor/", {"environment": "sandbox", "auth_method": "code"})
    assert answer.status_code == 302
    assert Connection.objects.count() == 2
    with pytest.raises(ActionRefused), tenant_scope(bound.connection.tenant_id):
        start_run(connection=bound.connection, trigger=Trigger.HAND, actor=SYSTEM)


def test_warnings_stand_on_the_connections_page(bound: Signer, monkeypatch: pytest.MonkeyPatch) -> None:
    page = bound.client.get(place(bound)).content.decode()
    assert "Whoever has the key can read everything." in page
    assert "plain HTTP" not in page
    allow(bound.connection, Exemption.PLAIN_HTTP)
    # Only where the customer says the address can it be one without TLS.
    assert "plain HTTP" not in bound.client.get(place(bound)).content.decode()
    address = CredentialField("api_address", "API address", secret=False, kind=FieldKind.ADDRESS)
    provider = registry.all_providers()["procountor"]
    offer(monkeypatch, replace(provider, credentials=(*provider.credentials, address)))
    assert "may use plain HTTP" in bound.client.get(place(bound)).content.decode()
