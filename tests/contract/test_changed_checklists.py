"""A release changes a provider's checklist while customers are connected: new, renamed and withdrawn checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from connections.jobs.models import Job
from connections.jobs.services import enqueue
from connections.spec.checklist import Attestation, MarkState
from connections.sync.models import RunState
from connections.tenancy.scope import tenant_scope
from portal.dashboard.summaries import summary_of
from portal.onboarding import marks, services
from portal.onboarding.models import Mark
from portal.support.connections import progress_of
from tests.contract.customers import Customer

WITHDRAWN = "a-checkpoint-of-last-year"


@pytest.fixture
def pages(newcomer: Customer, sign_in: Callable[..., Any], alice: Any) -> Callable[..., None]:
    """`pages(*slugs)`: every page that shows the checklist answers, and those of these checkpoints."""
    client = sign_in(alice)

    def look(*slugs: str) -> None:
        root = f"/t/{newcomer.tenant.slug}/"
        one = f"{root}c/{newcomer.connection.id}/"
        found = [
            root,
            one,
            f"{one}checklist/",
            f"{one}checklist-poll/",
            *(f"{one}checklist/{slug}/" for slug in slugs),
        ]
        assert {address: client.get(address).status_code for address in found} == dict.fromkeys(found, 200)
        with tenant_scope(newcomer.tenant.id):
            shown = progress_of(newcomer.connection)
        assert shown is not None
        assert shown.total == len(newcomer.provider.checkpoints(newcomer.auth_method.grant))

    return look


def declared(customer: Customer) -> list[str]:
    return [checkpoint.slug for checkpoint in customer.provider.checkpoints(customer.auth_method.grant)]


def test_a_new_checkpoint_is_open_until_it_is_proved(newcomer: Customer, pages: Callable[..., None]) -> None:
    """As if every checkpoint had come with a release after this connection was begun: none has a row."""
    Mark.objects.filter(onboarding=newcomer.onboarding).delete()
    pages(*declared(newcomer))
    with tenant_scope(newcomer.tenant.id):
        summary = summary_of(newcomer.connection)
    assert summary.passed == 0
    states = newcomer.walk()
    assert sorted(states) == sorted(declared(newcomer))
    assert all(MarkState(state).passes for state in states.values()), states
    pages(*declared(newcomer))


def test_a_checkpoint_that_is_new_to_a_live_connection_is_asked_by_the_next_green_run(
    newcomer: Customer, pages: Callable[..., None]
) -> None:
    assert all(MarkState(state).passes for state in newcomer.walk().values())
    Mark.objects.filter(onboarding=newcomer.onboarding).delete()
    pages()
    assert newcomer.sync().state == RunState.SUCCEEDED
    newcomer.work_off()
    stands = {slug: mark.state for slug, mark in marks.marks_of(newcomer.onboarding).items()}
    by_word = {
        each.slug
        for each in newcomer.provider.checkpoints(newcomer.auth_method.grant)
        if isinstance(each.proof, Attestation)
    }
    unproved = {slug for slug, state in stands.items() if not MarkState(state).is_proved}
    waiting = {
        each.slug
        for each in newcomer.provider.checkpoints(newcomer.auth_method.grant)
        if unproved.intersection(each.needs)
    }
    assert {slug for slug, state in stands.items() if state == "open"} - waiting == by_word, (
        "only a person can say these"
    )
    assert "failing" not in stands.values()


def test_a_renamed_checkpoint_is_a_new_one_and_the_old_one_is_left_alone(
    newcomer: Customer, pages: Callable[..., None]
) -> None:
    assert all(MarkState(state).passes for state in newcomer.walk().values())
    for slug in declared(newcomer):
        Mark.objects.filter(onboarding=newcomer.onboarding, checkpoint=slug).update(checkpoint=f"old-{slug}")
    pages(*declared(newcomer))
    assert newcomer.sync().state == RunState.SUCCEEDED
    old = Mark.objects.filter(onboarding=newcomer.onboarding, checkpoint__startswith="old-")
    assert old.count() == len(declared(newcomer))
    assert all(MarkState(mark.state).passes for mark in old)


def test_withdrawn_checkpoints_hold_nothing_back(
    newcomer: Customer, pages: Callable[..., None], sign_in: Callable[..., Any], alice: Any
) -> None:
    withdrawn = {f"{WITHDRAWN}-{state}": state for state in ("open", "failing", "verified")}
    client = sign_in(alice)
    for slug, state in withdrawn.items():
        row = Mark(tenant=newcomer.tenant, onboarding=newcomer.onboarding, checkpoint=slug, state=state)
        row.save(force_insert=True)
        with tenant_scope(newcomer.tenant.id):
            enqueue(kind=marks.CHECK, subject=row.id, tenant_id=newcomer.tenant.id)
        newcomer.work_off()
        assert not Job.objects.filter(subject=row.id).exclude(state="succeeded").exists()
        address = f"/t/{newcomer.tenant.slug}/c/{newcomer.connection.id}/checklist/{slug}/"
        asked = [
            client.get(address),
            *(client.post(f"{address}{what}/") for what in ("attest", "check", "confirm", "fields")),
        ]
        assert [answer.status_code for answer in asked] == [404] * 5
    pages()
    states = newcomer.walk()
    assert {slug: states.pop(slug) for slug in withdrawn} == withdrawn
    assert all(MarkState(each).passes for each in states.values()), states
    newcomer.onboarding.refresh_from_db()
    assert newcomer.onboarding.completed_at is not None
    with tenant_scope(newcomer.tenant.id):
        summary = summary_of(newcomer.connection)
        services.reopen_for_server(newcomer.connection)
    assert (summary.passed, summary.failing) == (summary.total, None)
