"""Row security alone keeps tenants apart: no filter of ours stands in these tests."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest
from django.db import IntegrityError, ProgrammingError, connection, transaction
from django.db.utils import DatabaseError
from django.test.utils import CaptureQueriesContext

from connections.sync.models import Record, SyncRun
from connections.tenancy import audit
from connections.tenancy.models import AuditEvent, Tenant
from connections.tenancy.scope import SYSTEM, person_scope, staff_scope, tenant_scope
from connections.vault.models import Connection, Credential
from connections.vault.secret import Secret
from connections.vault.services import open_connection, store_credential
from portal.members.models import Membership
from tests.roles import acting_as

pytestmark = pytest.mark.django_db


@pytest.fixture
def two_connections(aamu, kaste, settings):
    """One connection with a credential in each of two tenants."""
    from portal.env import SandboxHosts

    settings.SANDBOX_HOSTS = {"procountor": SandboxHosts(api="https://localhost:1/api")}
    connections = []
    for tenant in (aamu, kaste):
        with tenant_scope(tenant.id):
            opened = open_connection(tenant=tenant, provider="procountor", environment="sandbox", actor=SYSTEM)
            store_credential(connection=opened, name="api_key", secret=Secret("planted-key-0123456789"), actor=SYSTEM)
            connections.append(opened)
    return connections


FENCED = [Connection, AuditEvent, SyncRun]


@pytest.mark.parametrize("role", ["web", "worker"])
def test_a_forgotten_filter_leaks_nothing(role, aamu, kaste, two_connections):
    with acting_as(role), tenant_scope(aamu.id):
        assert {row.tenant_id for row in Connection.objects.all()} == {aamu.id}
        assert {row.tenant_id for row in AuditEvent.objects.all()} == {aamu.id}
        assert Credential.objects.values_list("tenant_id", flat=True).distinct().get() == aamu.id
        assert not Connection.objects.filter(id=two_connections[1].id).exists()
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM vault_connection WHERE tenant_id <> %s", [aamu.id])
            assert cursor.fetchone() == (0,)


@pytest.mark.parametrize("role", ["web", "worker"])
def test_without_a_scope_there_are_no_rows_and_no_error(role, two_connections):
    with acting_as(role):
        for model in FENCED:
            assert model.objects.count() == 0
        assert Credential.objects.values("id").count() == 0


@pytest.mark.parametrize("role", ["web", "worker"])
def test_nothing_is_written_into_another_tenant(role, aamu, kaste, two_connections):
    with acting_as(role), tenant_scope(aamu.id):
        changed = Connection.objects.filter(id=two_connections[1].id).update(state="paused")
        assert changed == 0
        with pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
            audit.record(tenant_id=kaste.id, actor=SYSTEM, action="planted")


def test_a_row_cannot_point_at_another_tenants_row(aamu, two_connections):
    with pytest.raises(IntegrityError), transaction.atomic():
        SyncRun(tenant=aamu, connection=two_connections[1], trigger="hand").save(force_insert=True)
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


@pytest.mark.parametrize("role", ["web", "worker"])
@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE vault_connection DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE vault_connection NO FORCE ROW LEVEL SECURITY",
        "DROP POLICY tenant ON vault_connection",
        "CREATE POLICY open ON vault_connection USING (true)",
        "TRUNCATE vault_connection",
        "ALTER ROLE portal_web BYPASSRLS",
        "CREATE VIEW leak AS SELECT * FROM vault_connection",
    ],
)
def test_runtime_roles_cannot_switch_it_off(role, statement, two_connections):
    with acting_as(role), pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def test_row_security_off_is_an_error_not_a_way_around(two_connections):
    with acting_as("worker"), pytest.raises(DatabaseError, match="row-level security"), transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL row_security = off")
            cursor.execute("SELECT count(*) FROM vault_connection")


def test_partitions_of_the_request_log_cannot_be_read_by_name(aamu):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'transport_entry'::regclass"
        )
        partition = cursor.fetchone()[0]
    for role in ("web", "worker", "staff"):
        with acting_as(role), pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(f"SELECT count(*) FROM {partition}")


def test_a_scope_ends_with_its_block_inside_a_longer_transaction(aamu, kaste, two_connections):
    with acting_as("web"), transaction.atomic():
        with tenant_scope(aamu.id):
            with tenant_scope(kaste.id):
                assert Connection.objects.get().tenant_id == kaste.id
            assert Connection.objects.get().tenant_id == aamu.id
        assert Connection.objects.count() == 0


def test_a_scope_ends_when_its_block_fails(aamu, two_connections):
    with acting_as("web"), transaction.atomic():
        with pytest.raises(RuntimeError), tenant_scope(aamu.id):
            raise RuntimeError
        assert Connection.objects.count() == 0


def test_the_staff_scope_sees_metadata_and_no_secret(two_connections):
    with acting_as("web"), staff_scope():
        assert Connection.objects.count() == 2
        assert set(Credential.objects.values_list("hint", flat=True)) == {"6789"}
        for column in ("ciphertext",):
            with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
                list(Credential.objects.values_list(column))
        for model in (Record,):
            with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
                model.objects.count()
    with acting_as("web"):
        assert Connection.objects.count() == 0


def test_a_person_reads_own_memberships_in_every_tenant_and_no_others(alice, charlie, kaste):
    Membership(tenant=kaste, user=alice, role="viewer").save(force_insert=True)
    with acting_as("web"):
        assert Membership.objects.count() == 0
        with person_scope(alice.pk):
            assert Membership.objects.count() == 2
            assert set(Membership.objects.values_list("user_id", flat=True)) == {alice.pk}


def test_the_portal_itself_acts_under_one_name_that_nobody_changes(aamu, two_connections):
    with tenant_scope(aamu.id):
        acted = set(AuditEvent.objects.filter(action="connection.opened").values_list("actor_id", "actor_name"))
    assert acted == {(None, "Pilotage")}
    with pytest.raises(FrozenInstanceError):
        SYSTEM.name = "Somebody"


@pytest.mark.parametrize("scope", [tenant_scope, person_scope])
@pytest.mark.parametrize("nobody", ["", "' OR true", None])
def test_what_is_no_id_opens_no_scope(scope, nobody):
    with pytest.raises((ValueError, TypeError)), scope(nobody):
        pass


def test_the_staff_role_ends_with_its_block_inside_a_longer_transaction(two_connections):
    with acting_as("web"), transaction.atomic():
        with staff_scope():
            assert current_user() == "portal_staff"
        assert current_user() == "portal_web"
        assert Connection.objects.count() == 0


def current_user():
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        return cursor.fetchone()[0]


def test_the_worker_cannot_take_the_staff_role():
    with acting_as("worker"), connection.cursor() as cursor:
        cursor.execute("SELECT pg_has_role('portal_worker', 'portal_staff', 'MEMBER')")
        assert cursor.fetchone() == (False,)


def test_tenants_are_seen_by_their_header_only(aamu, kaste):
    with acting_as("web"):
        assert Tenant.objects.count() == 2
        with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
            Tenant.objects.filter(id=kaste.id).update(state="suspended")


def test_a_scope_without_a_savepoint_ends_with_its_block_too(aamu, kaste, two_connections):
    with acting_as("web"), transaction.atomic():
        with person_scope(7, savepoint=False), tenant_scope(aamu.id, savepoint=False):
            with tenant_scope(kaste.id, savepoint=False):
                assert Connection.objects.get().tenant_id == kaste.id
            assert Connection.objects.get().tenant_id == aamu.id
        assert Connection.objects.count() == 0


def test_a_scope_without_a_savepoint_ends_when_its_block_fails(aamu, two_connections):
    with acting_as("web"), transaction.atomic():
        with pytest.raises(RuntimeError), tenant_scope(aamu.id, savepoint=False):
            raise RuntimeError
        assert Connection.objects.count() == 0


def test_a_scope_is_over_after_a_statement_that_failed_in_it(aamu, two_connections):
    with acting_as("web"), transaction.atomic():
        with pytest.raises(DatabaseError), transaction.atomic(), tenant_scope(aamu.id, savepoint=False):
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 / 0")
        assert Connection.objects.count() == 0


def test_a_scope_is_over_where_the_next_one_begins(aamu, kaste, two_connections):
    with acting_as("web"), transaction.atomic():
        with tenant_scope(aamu.id):
            pass
        with tenant_scope(kaste.id):
            assert Connection.objects.get().tenant_id == kaste.id
        assert Connection.objects.count() == 0


def test_a_scope_that_ended_is_put_back_once(aamu, two_connections):
    with acting_as("web"), transaction.atomic():
        with person_scope(7, savepoint=False), tenant_scope(aamu.id, savepoint=False):
            pass
        with CaptureQueriesContext(connection) as queries:
            assert Connection.objects.count() == 0
            assert Connection.objects.count() == 0
    assert len(queries) == 3
