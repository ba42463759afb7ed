"""Every way leads in: by hand over the API, through the checklist, and out again when the provider takes it back."""

from __future__ import annotations

from collections.abc import Callable

from connections.spec.faults import Responsible
from connections.sync.models import RunState
from connections.transport.models import RequestLogEntry
from connections.vault.models import ConnectionState, Grant
from tests.contract.auth_methods import AuthMethod
from tests.contract.customers import Customer


def test_it_connects_and_is_let_in(customer: Customer) -> None:
    assert customer.ask().status == 200
    grant = Grant.objects.get(connection=customer.connection)
    assert grant.generation >= 1
    assert grant.expires_at is not None
    asked = RequestLogEntry.objects.filter(connection=customer.connection, operation__contains="token")
    assert [entry.outcome for entry in asked] == ["answered"]


def test_the_checklist_is_walked_to_its_end(newcomer: Customer) -> None:
    """Connect, probe, confirm, first sync: every checkpoint passes, and nothing is left to do."""
    marks = newcomer.walk()
    passing = ("verified", "inferred", "attested", "waived")
    assert {slug: state for slug, state in marks.items() if state not in passing} == {}
    assert newcomer.connection.state == ConnectionState.CONNECTED
    assert [run.state for run in newcomer.connection.runs.all()] == [RunState.SUCCEEDED]
    newcomer.onboarding.refresh_from_db()
    assert newcomer.onboarding.completed_at is not None


def test_a_declined_consent_is_a_plain_no(arrive: Callable[[AuthMethod], Customer], login_way: AuthMethod) -> None:
    customer = arrive(login_way)
    customer.set_up()
    customer.type_in()
    customer.confirm_certificates()
    attempt = customer.sign_in(deny=True)
    assert (attempt.state, attempt.reason_code) == ("denied", "access_denied")
    assert not Grant.objects.exclude(access_ciphertext=None).exists()
    assert customer.sign_in().state == "exchanged", "a second thought finds the door open"


def test_access_taken_back_at_the_provider_is_noticed_and_named(customer: Customer) -> None:
    assert customer.sync().state == RunState.SUCCEEDED
    customer.simulator.control("revoke", {})
    run = customer.sync()
    if run.state == RunState.SUCCEEDED:
        # A provider may let a session that was given before come to its own end; a new one it must not give.
        customer.expire()
        run = customer.sync()
    if run.state == RunState.WAITING:
        # Asked once more, later, before anything is concluded.
        customer.connection.refresh_from_db()
        assert (customer.connection.state, run.fault) == (ConnectionState.CONNECTED, "renewal-refused-once")
        customer.a_minute_later()
        customer.work_off()
        run.refresh_from_db()
    assert run.state == RunState.FAILED
    fault = customer.knows(run.fault)
    assert fault.responsible is Responsible.CUSTOMER, f"{fault.code} is for {fault.responsible}"
    slugs = [checkpoint.slug for checkpoint in customer.provider.checkpoints(customer.auth_method.grant)]
    assert fault.checkpoint in slugs, f"{fault.code} leads to no checkpoint of this way"
    customer.connection.refresh_from_db()
    assert (customer.connection.state, customer.connection.fault) == (ConnectionState.BROKEN, fault.code)
