"""A job of a tenant does its work in that tenant's scope, and only as long as it is this worker's."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from connections.jobs import registry, services
from connections.jobs.lease import Lease, LeaseLost, TenantLease
from connections.jobs.models import JobState
from connections.jobs.registry import Parked
from connections.jobs.tasks import work
from connections.tenancy.models import AuditEvent, Tenant
from tests.jobs.conftest import expire
from tests.roles import acting_as

pytestmark = pytest.mark.usefixtures("committed_db")


@pytest.fixture
def tenants(committed_db: None, aamu: Tenant, kaste: Tenant) -> list[Tenant]:
    """Two, with an event in the trail of each."""
    for tenant in (aamu, kaste):
        AuditEvent.objects.create(tenant=tenant, action="test.made")
    return [aamu, kaste]


@pytest.fixture
def as_worker(tenants: list[Tenant]) -> Iterator[None]:
    with acting_as("worker"):
        yield


def visible_tenants() -> set[uuid.UUID]:
    return set(AuditEvent.objects.values_list("tenant_id", flat=True))


@pytest.mark.usefixtures("as_worker")
def test_its_transactions_show_the_rows_of_its_tenant_alone(kind: Any, enqueue: Any, tenants: list[Tenant]) -> None:
    lease = services.claim(enqueue(kind(tenant_required=True), tenant=tenants[0]).id)
    assert isinstance(lease, TenantLease)
    with lease.scope():
        assert visible_tenants() == {tenants[0].id}
    assert visible_tenants() == set()


@pytest.mark.usefixtures("as_worker")
def test_a_job_of_nobody_has_no_tenants_scope(kind: Any, enqueue: Any) -> None:
    lease = services.claim(enqueue(kind()).id)
    assert type(lease) is Lease
    with lease.scope():
        assert visible_tenants() == set()


@pytest.mark.usefixtures("as_worker")
@pytest.mark.parametrize("is_a_tenants", [True, False])
def test_nothing_is_written_once_somebody_else_holds_the_job(
    kind: Any, enqueue: Any, tenants: list[Tenant], is_a_tenants: bool
) -> None:
    job = enqueue(kind(tenant_required=is_a_tenants), tenant=tenants[0] if is_a_tenants else None)
    stale = services.claim(job.id)
    expire(job)
    assert services.claim(job.id) is not None
    with pytest.raises(LeaseLost), stale.scope():
        pytest.fail("a stale lease opened a transaction")
    assert stale.is_lost


@pytest.mark.usefixtures("as_worker")
def test_what_a_kind_says_when_it_is_parked_is_said_in_the_tenants_scope(
    kind: Any, enqueue: Any, tenants: list[Tenant]
) -> None:
    seen: list[set[uuid.UUID]] = []

    def give_up(lease: TenantLease) -> None:
        message = "no use"
        raise Parked(message)

    def say_so(lease: TenantLease) -> None:
        with lease.scope():  # as helpers that handlers share do
            seen.append(visible_tenants())

    job = enqueue(kind(give_up, on_parked=say_so, tenant_required=True), tenant=tenants[1])
    work(str(job.id))
    job.refresh_from_db()
    assert (job.state, seen) == (JobState.PARKED, [{tenants[1].id}])


def test_the_kinds_that_are_no_tenants_are_few() -> None:
    ours = {each.name for each in registry.kinds() if not each.tenant_required}
    others = {each for each in ours if not each.startswith(("incidents.", "notices.", "test."))}
    assert others == {"certification.compute_report", "support.carry_out", "vault.reseal"}
