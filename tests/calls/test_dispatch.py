"""What becomes of a call: good answers, refusals, waits, and a write that is sent once whatever dies meanwhile."""

from __future__ import annotations

import json
import logging
import uuid
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections as databases
from django.utils import timezone

from connections.calls import dispatch, services
from connections.calls.models import Call
from connections.calls.services import clear_answers
from connections.jobs.models import Job
from connections.jobs.services import claim
from connections.providers import registry
from connections.spec import json_numbers
from connections.spec.operations import Arguments
from connections.tenancy.models import Tenant
from connections.tenancy.scope import tenant_scope
from connections.transport.log.redaction import WITHHELD
from connections.transport.models import RequestLogEntry
from connections.vault.models import Connection
from connections.vault.secret import Secret
from tests.calls.conftest import ALICE, Calling, cut_after, cut_before, cut_during, says
from tests.roles import acting_as
from tests.searching import Search
from tests.transport.hostile import Line


def entry_of(call: Call) -> RequestLogEntry:
    return RequestLogEntry.objects.get(id=call.entry_id)


def test_a_read_is_answered_and_its_answer_kept(calling: Calling) -> None:
    calling.ledger.things = [{"reference": "R-9"}]
    call = calling.run("things.find", query={"reference": "R-9"})
    assert (call.state, call.status, call.is_cut) == ("answered", 200, False)
    assert call.answer == '{\n  "things": [\n    {\n      "reference": "R-9"\n    }\n  ]\n}'
    assert entry_of(call).operation == "things.find"
    assert call.ended_at is not None


def test_an_answer_keeps_its_digits(calling: Calling) -> None:
    calling.ledger.fates = [
        says(200, b'{"id": 12345678901234567890123, "amount": 12345678901234567.89, "share": 1.50}')
    ]
    call = calling.run("things.find")
    told = '{ "id": 12345678901234567890123, "amount": 12345678901234567.89, "share": 1.50 }'
    assert call.answer.split() == told.split()


def test_a_body_leaves_with_its_digits(calling: Calling) -> None:
    long = "12345678901234567.89"
    body = json_numbers.exact_values(b'{"reference": "R-1", "amount": %s, "share": 1.50}' % long.encode())
    calling.run(body=body)
    assert calling.ledger.bodies[-1] == b'{"reference":"R-1","amount":%s,"share":1.50}' % long.encode()


def test_a_write_is_answered_once(calling: Calling) -> None:
    call = calling.run(query={"mode": "final"})
    assert (call.state, call.status, call.provider_request_id) == ("answered", 201, "req-1")
    assert calling.ledger.things == [{"reference": "R-1", "amount": 1}]
    assert calling.ledger.asked == ["POST /latest/api/things?mode=final"]
    assert entry_of(call).status == 201
    assert call.sent_at <= call.ended_at


def test_an_answer_is_cut_at_the_cap(calling: Calling, monkeypatch: pytest.MonkeyPatch) -> None:
    from connections.calls import outcomes

    monkeypatch.setattr(outcomes, "LARGEST_ANSWER", 10)
    call = calling.run("things.find")
    assert (len(call.answer), call.is_cut) == (10, True)


@pytest.mark.parametrize("status", [200, 422])
def test_what_let_us_in_is_not_kept_when_the_provider_repeats_it(calling: Calling, status: int) -> None:
    echo = {"echo": {"Authorization: Bearer tok-1": ["a tok-1 b", 7, None]}, "errors": {"tok%2D1": "tok\\u002d1"}}
    told = {"errors": [{"field": "lines.tok-1", "message": "you sent tok%2D1, tok\\u002d1 and R-canary"}]}
    calling.ledger.fates = [says(status, echo if status == 200 else told, X_Request_Id="tok-1")]
    call = calling.run("things.find")
    kept = call.answer or str(call.troubles)
    assert call.status == status
    assert Search([("the token", "tok-1")]).look("the call", kept + call.provider_request_id) == []
    assert json.loads(call.answer)["echo"] if status == 200 else "R-canary" in kept


def test_a_secret_that_comes_back_as_a_number_withholds_the_answer(calling: Calling) -> None:
    Secret("8675309420").reveal()
    calling.ledger.fates = [says(200, {"echo": 8675309420})]
    assert calling.run("things.find").answer == WITHHELD


def test_an_answer_that_is_hard_to_search_is_kept(calling: Calling) -> None:
    """A write was done: whatever stands in its answer, nobody may be told that its outcome is unknown."""
    told = {"a": f"&#{'9' * 5000};", "b": "\\" * 50_000, "c": "\\" * 50_000 + "tok-1"}
    calling.ledger.fates = [says(201, told, done=True)]
    call = calling.run()
    assert (call.state, call.status) == ("answered", 201)
    assert "9" * 5000 in call.answer
    assert Search([("the token", "tok-1")]).look("the call", call.answer) == []


def test_an_answer_without_a_body_is_an_answer(calling: Calling) -> None:
    calling.ledger.fates = [says(204, b"")]
    call = calling.run("things.drop", path={"id": "1"})
    assert (call.state, call.status, call.answer) == ("answered", 204, "")


def test_it_is_marked_as_sent_before_it_leaves(calling: Calling) -> None:
    seen: list[Any] = []

    def fate(line: Line, ledger: Any) -> None:
        with tenant_scope(calling.connection.tenant_id):  # this thread's own connection sees what is committed
            seen.extend(Call.objects.values_list("state", "entry_id"))
        databases.close_all()
        line.answer(201, {})

    calling.ledger.fates = [fate]
    call = calling.run()
    assert seen == [("sent", call.entry_id)]


def test_a_refusal_says_which_fields(
    calling: Calling, writable: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    told = [("lines.0.amount", "too-large\x00 for R-canary")] * 200
    provider = replace(writable, faults=replace(writable.faults, read_fields=lambda body: told))
    monkeypatch.setattr(registry, "all_providers", lambda: {provider.slug: provider})
    calling.ledger.fates = [says(422, {"canary": 1}, X_Request_Id="req-7")]
    with caplog.at_level(logging.DEBUG, logger="connections"):
        call = calling.run()
    assert (call.state, call.status, call.fault) == ("refused", 422, "unknown-refusal")
    assert call.troubles[0] == ["lines.0.amount", "too-large for R-canary"]
    assert len(call.troubles) == 100
    assert call.provider_request_id == "req-7"
    assert "canary" not in caplog.text
    assert calling.ledger.writes() == 1


@pytest.mark.parametrize("status", [400, 403, 404, 409, 422])
def test_a_refused_write_is_not_repeated(calling: Calling, status: int) -> None:
    calling.ledger.fates = [says(status, {})]
    call = calling.run()
    assert (call.state, call.status) == ("refused", status)
    assert not calling.work_off()
    assert calling.ledger.writes() == 1


def test_what_the_way_there_refuses_was_not_sent(calling: Calling) -> None:
    calling.ledger.token_status = 401
    call = calling.run()
    # Without a word about why, it may pass: nothing was sent, so it is tried again.
    assert (call.state, call.fault, call.status) == ("queued", "turned-away", None)
    assert calling.ledger.writes() == 0
    assert entry_of(call).operation == "token"
    assert calling.ledger.asked == []


@pytest.mark.parametrize("operation", ["things.create", "things.find"])
@pytest.mark.parametrize("fate", [says(429, b""), says(429, b"", Retry_After="300")], ids=["429", "429-later"])
def test_what_surely_was_not_done_goes_later(calling: Calling, operation: str, fate: Any) -> None:
    calling.ledger.fates = [fate] * 50
    call = calling.run(operation)
    assert (call.state, call.fault, call.sent_at) == ("queued", "too-many-requests", None)
    assert call.next_at > timezone.now()
    assert Job.objects.get(subject=call.id).due_at == call.next_at
    calling.ledger.fates = []
    assert calling.go_on(call, later=timedelta(minutes=20)).state == "answered"


def test_a_host_that_takes_no_connection_is_tried_later(calling: Calling, hostile: Any, settings: Any) -> None:
    from portal.env import SandboxHosts

    good = settings.SANDBOX_HOSTS
    calling.run("things.find")  # a living token
    settings.SANDBOX_HOSTS = {"procountor": SandboxHosts(api="https://127.0.0.1:9/api", ca=hostile.ca)}
    call = calling.run()
    assert (call.state, call.fault, call.sent_at) == ("queued", "no-answer", None)
    settings.SANDBOX_HOSTS = good
    assert calling.go_on(call, later=timedelta(minutes=1)).state == "answered"
    assert calling.ledger.writes() == 1


def test_a_used_up_quota_is_waited_for(calling: Calling, monkeypatch: pytest.MonkeyPatch) -> None:
    from connections.spec.errors import QuotaExhausted
    from connections.transport import faults
    from connections.transport.limits import rate_limiter

    def none_left(*args: Any, **more: Any) -> None:
        raise QuotaExhausted(faults.QUOTA, retry_at=timezone.now() + timedelta(hours=2))

    monkeypatch.setattr(rate_limiter, "wait_for_quota", none_left)
    call = calling.run()
    assert (call.state, call.fault) == ("queued", "quota")
    assert calling.ledger.asked == []
    call = calling.go_on(call, later=timedelta(hours=23))
    assert (call.state, call.fault) == ("failed", "call-too-late")


@pytest.mark.parametrize("fate", [says(503), says(500), cut_before], ids=["503", "500", "cut"])
def test_a_read_is_tried_again(calling: Calling, fate: Any) -> None:
    calling.ledger.fates = [fate]
    assert calling.run("things.find").state == "answered"
    assert len(calling.ledger.asked) == 2


# -- what changed while it waited --------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["paused", "suspended", "other company"])
def test_what_no_longer_stands_sends_nothing(calling: Calling, change: str) -> None:
    call = calling.ask()
    if change == "suspended":
        Tenant.objects.update(state="suspended")
    elif change == "paused":
        Connection.objects.update(state="paused")
    else:
        Connection.objects.update(state="broken", fault="other-company")
    call = calling.go_on(call)
    assert (call.state, call.fault) == ("failed", "call-not-standing")
    assert calling.ledger.asked == []


def test_a_write_that_waits_is_not_sent_once_writes_are_off(calling: Calling) -> None:
    write, read = calling.ask(), calling.ask("things.find")
    Connection.objects.update(allows_writes=False)
    assert calling.go_on(write).fault == "call-writes-off"
    read.refresh_from_db()
    assert read.state == "answered"
    assert calling.ledger.writes() == 0


def test_an_operation_that_is_gone_is_not_sent(calling: Calling) -> None:
    call = calling.ask()
    Call.objects.update(operation="things.burn")
    assert calling.go_on(call).fault == "call-not-declared"


def test_values_that_are_no_longer_taken_are_not_sent(calling: Calling) -> None:
    call = calling.ask()
    Call.objects.update(arguments='{"query": {"gone": "1"}}')
    assert calling.go_on(call).fault == "call-not-declared"


# -- deaths ------------------------------------------------------------------------------------------------------------


class Killed(BaseException):
    """The worker dies here: nothing it meant to do next happens."""


def die_at(monkeypatch: pytest.MonkeyPatch, calling: Calling, where: str) -> Call:
    """The lease of the dead runs out; the job is due again."""
    with monkeypatch.context() as patched:

        def die(*args: Any, **values: Any) -> None:
            raise Killed

        patched.setattr(dispatch.Dispatch, where, die)
        call = calling.ask()
        with acting_as("worker"):
            lease = claim(Job.objects.get(subject=call.id).id)
            assert lease is not None
            with pytest.raises(Killed):
                dispatch.send(lease)
    Job.objects.update(lease_until=timezone.now() - timedelta(minutes=1))
    call.refresh_from_db()
    return call


def test_a_worker_that_dies_before_the_mark_has_sent_nothing(
    calling: Calling, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = die_at(monkeypatch, calling, "_mark_sent")
    assert call.state == "queued"
    assert calling.go_on(call).state == "answered"
    assert calling.ledger.writes() == 1


def test_what_came_back_to_a_dead_worker_is_read_in_the_log(calling: Calling, monkeypatch: pytest.MonkeyPatch) -> None:
    call = die_at(monkeypatch, calling, "_record_answer")
    assert call.state == "sent"
    call = calling.go_on(call)
    assert (call.state, call.status, call.answer, call.provider_request_id) == ("answered", 201, "", "req-1")
    assert calling.ledger.asked == ["POST /latest/api/things"]


def test_a_refusal_that_came_back_to_a_dead_worker_is_read_in_the_log(
    calling: Calling, monkeypatch: pytest.MonkeyPatch
) -> None:
    calling.ledger.fates = [says(400, {})]
    call = calling.go_on(die_at(monkeypatch, calling, "_judge"))
    assert (call.state, call.status, call.fault) == ("refused", 400, "invalid-fields")


@pytest.mark.parametrize(
    "fate", [cut_after, cut_before, cut_during, says(500)], ids=["after", "before", "during", "500"]
)
def test_what_may_have_left_is_never_sent_again(calling: Calling, monkeypatch: pytest.MonkeyPatch, fate: Any) -> None:
    calling.ledger.fates = [fate]
    call = calling.go_on(die_at(monkeypatch, calling, "_judge"))
    assert (call.state, call.needs_a_person) == ("unknown", False)
    call = calling.look_to_the_end(call)
    assert (call.state == "answered") is bool(calling.ledger.things)
    assert calling.ledger.writes() == 1


def test_a_mark_without_an_entry_is_looked_up(calling: Calling) -> None:
    """Killed between the mark and the line in the log: nobody can tell whether anything left."""
    call = calling.ask()
    Call.objects.update(state="sent", entry_id=uuid.uuid4(), sent_at=timezone.now())
    assert calling.go_on(call).state == "unknown"
    assert calling.ledger.writes() == 0


def test_a_worker_that_lost_its_lease_does_not_send(calling: Calling, monkeypatch: pytest.MonkeyPatch) -> None:
    from connections.jobs.lease import LeaseLost
    from connections.transport.limits import rate_limiter

    call = calling.ask()

    def taken_over(*args: Any, **more: Any) -> None:
        Job.objects.update(epoch=99)

    monkeypatch.setattr(rate_limiter, "wait_for_quota", taken_over)
    with acting_as("worker"), pytest.raises(LeaseLost):
        dispatch.send(claim(Job.objects.get(subject=call.id).id))
    assert calling.ledger.asked == []
    call.refresh_from_db()
    assert call.state == "queued"


@pytest.mark.parametrize(("state", "becomes"), [("queued", "failed"), ("sent", "unknown"), ("waiting", "unknown")])
def test_a_job_that_is_given_up_leaves_no_call_behind(calling: Calling, state: str, becomes: str) -> None:
    from connections.jobs.services import park

    call = calling.ask()
    Call.objects.update(state=state)
    with acting_as("worker"):
        park(claim(Job.objects.get(subject=call.id).id), "poison")
    call.refresh_from_db()
    assert (call.state, call.fault, call.is_in_progress) == (becomes, "call-gave-up", False)


# -- afterwards --------------------------------------------------------------------------------------------------------


def test_answers_are_forgotten_after_a_day_and_calls_are_not(calling: Calling) -> None:
    old, young = calling.run("things.find"), calling.run("things.find")
    refused = calling.ask()
    Call.objects.filter(id=refused.id).update(state="refused", troubles=[["a", "b"]], ended_at=old.ended_at)
    Call.objects.filter(id__in=[old.id, refused.id]).update(ended_at=timezone.now() - timedelta(hours=25))
    assert clear_answers() == 2
    for call in (old, young, refused):
        call.refresh_from_db()
    assert (old.answer, old.state, old.status) == ("", "answered", 200)
    assert refused.troubles == []
    assert young.answer
    assert clear_answers() == 0


def test_the_simulator_is_asked_as_the_provider_is(
    committed_db: None, connected: Connection, sandbox: Any, work_off: Any
) -> None:
    """Without any double: a list call of the real description, with parameters, and one that is refused."""
    operation = registry.find("procountor").operation("partners.list")
    given = {each.name: each.example for each in operation.parameters if each.example}
    with acting_as("web"), tenant_scope(connected.tenant_id):
        good = services.ask(
            connection=connected, operation="partners.list", arguments=Arguments(query=given), actor=ALICE
        )
    work_off()
    good.refresh_from_db()
    assert (good.state, good.status) == ("answered", 200)
    assert '"results"' in good.answer
    sandbox.faults([{"path": "/sessioninfo", "status": 403}])
    with acting_as("web"), tenant_scope(connected.tenant_id):
        bad = services.ask(connection=connected, operation="session", arguments=Arguments(), actor=ALICE)
    work_off()
    bad.refresh_from_db()
    assert (bad.state, bad.status, bad.fault) == ("refused", 403, "right-missing")
