"""Whoever has the web's database login, or the staff's role, moves every sealed row there is to a server of their own."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.db import connection as database
from django.db.models.functions import Now

from connections.jobs import registry as kinds
from connections.jobs.models import Job
from connections.providers.registry import all_providers
from connections.spec.errors import CallFailed
from connections.spec.provider import FieldKind
from connections.tenancy.models import Tenant
from connections.tenancy.scope import tenant_scope
from connections.transport.client import Client
from connections.transport.models import ActivationRequest, ActivationState, AttemptState, AuthorizationAttempt
from connections.vault import sealing
from connections.vault.binding import Binding
from connections.vault.fields import SEALED_FIELDS
from connections.vault.models import ClientRegistration, Connection, Credential, Grant, PrivateKey, TenantKey
from connections.vault.secret import BoundSecret, Secret
from portal.env import SandboxHosts
from portal.notices.models import OutgoingMail
from portal.onboarding import services
from portal.onboarding.models import Mark
from tests.contract.auth_methods import AuthMethod, auth_methods, first_ways
from tests.contract.conftest import arrive, no_pace, no_pauses  # noqa: F401  (a customer in every way)
from tests.contract.customers import AINO, Customer
from tests.drills.canary_errors import text_of
from tests.roles import acting_as
from tests.vault import thief
from tests.vault.thief import COUNT, TRIES, Listener, undone

pytestmark = pytest.mark.usefixtures("db")
CODE, VERIFIER, REQUEST, MAIL = (f"canary-of-{what}-0123456789" for what in ("code", "verifier", "request", "mail"))
BY_PERSON = [
    auth_method
    for auth_method in auth_methods()
    if auth_method.login and not auth_method.wire and auth_method not in first_ways()
]
TYPED = [
    each for each in all_providers().values() if any(field.kind is FieldKind.ADDRESS for field in each.credentials)
]


@pytest.fixture(scope="module")
def robber(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listener]:
    server = Listener(tmp_path_factory.mktemp("robber"))
    token = {"access_token": "a-token-of-the-thief", "token_type": "Bearer", "expires_in": 3600}
    server.behave = lambda line: line.answer(200, token)
    yield server
    server.close()


@dataclass
class Loot:
    """What there is to take of one customer, and connections of the thief's with addresses of the thief's choice."""

    customer: Customer
    rows: Mapping[type, Any]  # a row of every table with a sealed column
    aims: list[Connection]
    secrets: set[str]


@pytest.fixture
def plant(
    arrive: Callable[[AuthMethod], Customer],  # noqa: F811
    robber: Listener,
    kaste: Any,
    settings: Any,
    tmp_path: Path,
) -> Callable[[AuthMethod], Loot]:
    def make(auth_method: AuthMethod) -> Loot:
        customer = arrive(auth_method).connect()
        customer.ask()
        customer.secrets |= customer.tokens()
        _let_through(settings, robber, tmp_path)
        tenant = customer.tenant
        side = {"provider": auth_method.slug, "environment": "sandbox"}
        login = next((each.name for each in customer.provider.logins), auth_method.login) or "none"
        attempt = AuthorizationAttempt(
            tenant=tenant, connection=customer.connection, login=login, state=AttemptState.RECEIVED
        )
        activation = ActivationRequest(tenant=tenant, **side, state=ActivationState.ASKED)
        mail = OutgoingMail()
        with acting_as("web"), tenant_scope(tenant.id):
            for row, name, text in (
                (attempt, "code_ciphertext", CODE),
                (attempt, "verifier_ciphertext", VERIFIER),
                (activation, "request_ciphertext", REQUEST),
                (mail, "ciphertext", MAIL),
            ):
                sealing.seal(row, name, Secret(text))
            for row in (attempt, activation, mail):
                row.save(force_insert=True)
        with tenant_scope(tenant.id):
            rows = {
                Credential: Credential.objects.filter(connection=customer.connection).first(),
                Grant: Grant.objects.get(connection=customer.connection),
                ClientRegistration: ClientRegistration.objects.filter(provider=auth_method.slug).first(),
                AuthorizationAttempt: attempt,
                ActivationRequest: activation,
                OutgoingMail: mail,
            }
        aims = [_aim(tenant, each, robber) for each in TYPED] + [_aim(kaste, TYPED[0], robber)]
        planted = {CODE, VERIFIER, REQUEST, MAIL}
        return Loot(customer, rows, aims, {each for each in customer.secrets if len(each) >= thief.SHORTEST} | planted)

    return make


def _let_through(settings: Any, robber: Listener, folder: Path) -> None:
    """Our own door trusts the thief's server as it does the simulators: nothing but the binding is in the way."""
    for slug, hosts in settings.SANDBOX_HOSTS.items():
        both = folder / f"{slug}.pem"
        both.write_text("".join(Path(ca).read_text() for ca in (hosts.ca, robber.ca) if ca))
        parts = {name: getattr(hosts, name) for name in ("api", "token", "authorize")}
        settings.SANDBOX_HOSTS[slug] = SandboxHosts(**parts, plain=robber.address, ca=str(both))


def _aim(tenant: Any, provider: Any, robber: Listener) -> Connection:
    """A connection whose customer says that their server is the thief's; all but its secrets stands there."""
    typed = {field.name: field.choices[0][0] if field.choices else "words" for field in provider.credentials}
    typed |= {field.name: robber.address for field in provider.credentials if field.kind is FieldKind.ADDRESS}
    typed = {name: value for name, value in typed.items() if not provider.field(name).secret}
    with acting_as("web"), tenant_scope(tenant.id):
        begun = services.begin(tenant=tenant, provider=provider.slug, environment="sandbox", actor=AINO)
        Connection.objects.filter(id=begun.connection_id).update(settings=typed, state="connected")
    with tenant_scope(tenant.id):
        return Connection.objects.select_related("tenant").get(id=begun.connection_id)


def moves(loot: Loot, model: type) -> Iterator[tuple[str, dict[str, Any]]]:
    """What an attacker writes into the columns of one row: where it stands, what it is called, whose it is."""
    columns = {field.column for field in model._meta.concrete_fields}
    for aim in loot.aims:
        provider = all_providers()[aim.provider]
        secret = [field.name for field in provider.credentials if field.secret]
        change: dict[str, Any] = {}
        if "connection_id" in columns:
            change["connection_id"] = aim.id
        if "provider" in columns:
            change |= {"provider": aim.provider, "environment": aim.environment}
        if not change:
            continue
        yield f"to {aim.provider}", change
        for name in {"name", "login"} & columns:
            yield f"to {aim.provider}, as {secret[0]}", {**change, name: secret[0]}
        if "tenant_id" in columns and aim.tenant_id != loot.rows[model].tenant_id:
            yield f"to {aim.provider} of another tenant", {**change, "tenant_id": aim.tenant_id}
    yield "to another id", {"id": uuid.uuid4()}
    if "connection_id" in columns:
        yield "to nowhere", {"connection_id": uuid.uuid4()}


def swaps(loot: Loot, model: type, column: str) -> Iterator[tuple[str, str, list[Any]]]:
    """Every other ciphertext of this customer's put into this column."""
    for field in SEALED_FIELDS:
        source = loot.rows[field.model]
        if (field.model, field.name) == (model, column) or source is None or not getattr(source, field.name):
            continue
        row = loot.rows[model]
        inner = f'(SELECT "{field.name}" FROM {field.model._meta.db_table} WHERE id = %s)'
        sql = f'UPDATE {model._meta.db_table} SET "{column}" = {inner} WHERE id = %s'
        yield f"{field.model.__name__}.{field.name} in {column}", sql, [source.id, row.id]


def pull(loot: Loot, aims: list[Connection]) -> list[str]:
    """Whatever would make a worker open it and send it for one of these; the errors, told in full."""
    errors = []
    for aim in aims:
        with tenant_scope(aim.tenant_id):
            connection = Connection.objects.select_related("tenant").get(id=aim.id)
        client = Client(connection=connection)
        first = next(stream for stream in client.provider.streams if stream.each is None)
        for auth_method in (
            lambda c=client, f=first: c.send(f.operation, loot.customer.question(f)),
            client.new_token,
        ):
            try:
                with acting_as("worker"):
                    auth_method()
            except (CallFailed, Grant.DoesNotExist) as failed:  # the latter where its row is another tenant's
                errors.append(text_of(failed))
    return errors


def queue(login: str, tenant_id: Any, subjects: list[uuid.UUID]) -> int:
    """A job of every kind for each of these, as the stolen login may insert them."""
    done = 0
    # Tests of other rooms register kinds of their own, some of which end their process.
    ours = {name for name, kind in kinds._KINDS.items() if not kind.handler.__module__.startswith("tests.")}
    for kind in sorted(ours):
        for subject in subjects:
            sql = (
                "INSERT INTO jobs_job (id, tenant_id, kind, subject, queue, state, due_at, starts, failures, owner, epoch,"
                " reason, created_at) VALUES (%s, %s, %s, %s, %s, 'queued', now(), 0, 0, '', 0, '', now())"
                " ON CONFLICT DO NOTHING"
            )
            values = [uuid.uuid4(), tenant_id, kind, subject, kinds.kind_of(kind).queue]  # type: ignore[union-attr]
            with thief.stolen(login, tenant_id), database.cursor() as cursor:
                cursor.execute(sql, values)
            done += 1
    return done


def attack(loot: Loot, login: str) -> Iterator[tuple[str, list[str]]]:
    """Each sealed column: moved, renamed, swapped; each time pulled. What was tried, and what was said."""
    tenant_id = loot.customer.tenant.id
    for field in SEALED_FIELDS:
        row, table = loot.rows[field.model], field.model._meta.db_table
        if row is None or not getattr(row, field.name):
            continue
        steps = [
            (what, f"UPDATE {table} SET " + ", ".join(f'"{name}" = %s' for name in change) + " WHERE id = %s",
             [*change.values(), row.id], [aim for aim in loot.aims if aim.id == change.get("connection_id", aim.id)])
            for what, change in moves(loot, field.model)
        ]  # fmt: skip
        steps += [(*swap, [loot.customer.connection]) for swap in swaps(loot, field.model, field.name)]
        for what, sql, values, aims in steps:
            with undone():
                is_allowed = thief.run(login, tenant_id, sql, values)
                assert not is_allowed, f"the {login} may: {table} {what}"
                yield f"{table}.{field.name}: {what}", pull(loot, aims)


@pytest.mark.parametrize(
    ("auth_method", "login"),
    [*((auth_method, "web") for auth_method in (*first_ways(), *BY_PERSON[:1])), (first_ways()[2], "staff")],
    ids=str,
)
def test_no_row_is_moved_to_a_thiefs_server(
    auth_method: AuthMethod,
    login: str,
    plant: Callable[[AuthMethod], Loot],
    robber: Listener,
    caplog: pytest.LogCaptureFixture,
    record_property: Callable[[str, object], None],
) -> None:
    loot, tries = plant(auth_method), 0
    caplog.clear()
    caplog.set_level(logging.DEBUG)
    for what, errors in attack(loot, login):
        tries += 1
        assert errors or "nowhere" in what or " in " in what, what
        assert thief.repeated("\n".join(errors), loot.secrets, robber.address) == [], what
    assert thief.repeated(thief.everything_said(caplog), loot.secrets, robber.address) == []
    reached = robber.reached_by(loot.secrets)
    record_property(TRIES, tries)
    record_property(COUNT, len(reached))
    assert tries > 20
    assert reached == []


@pytest.mark.parametrize("login", ["web", "staff"])
def test_jobs_of_every_kind_for_everything_bring_nothing_there(
    login: str,
    plant: Callable[[AuthMethod], Loot],
    robber: Listener,
    work_off: Callable[..., int],
    caplog: pytest.LogCaptureFixture,
    record_property: Callable[[str, object], None],
) -> None:
    """Everything is moved at once, and workers do whatever can be asked of them."""
    loot = plant(first_ways()[2])
    work_off()
    caplog.clear()
    caplog.set_level(logging.DEBUG)
    tenant_id = loot.customer.tenant.id
    aim = loot.aims[0]
    name = next(field.name for field in all_providers()[aim.provider].credentials if field.secret)
    for model in (Credential, Grant, AuthorizationAttempt):
        change = "connection_id = %s" + {Credential: ", name = %s", AuthorizationAttempt: ", login = %s"}.get(
            model, ""
        )
        values = [aim.id, *([name] if "," in change else []), loot.rows[model].id]
        thief.run(login, tenant_id, f"UPDATE {model._meta.db_table} SET {change} WHERE id = %s", values)
    for model in (ClientRegistration, ActivationRequest):
        sql = f"UPDATE {model._meta.db_table} SET provider = %s WHERE id = %s"
        thief.run(login, tenant_id, sql, [aim.provider, loot.rows[model].id])
    marks = Mark.objects.filter(onboarding__connection__in=[aim, loot.customer.connection])
    subjects = [aim.id, loot.customer.connection.id, tenant_id, uuid.UUID(int=0), *marks.values_list("id", flat=True)]
    subjects += [row.id for row in loot.rows.values()]
    tries = queue(login, tenant_id, subjects)
    assert work_off(4 * tries) >= tries
    # Left alone they would try again, later.
    Job.objects.filter(state="queued").update(due_at=Now())
    work_off(4 * tries)
    TenantKey.objects.exclude(tenant__in=Tenant.objects.all()).delete()  # no commit would let these pass
    PrivateKey.objects.exclude(tenant__in=Tenant.objects.all()).delete()
    reached = robber.reached_by(loot.secrets)
    record_property(TRIES, tries)
    record_property(COUNT, len(reached))
    assert reached == []
    assert thief.repeated(thief.everything_said(caplog), loot.secrets, robber.address) == []


def test_what_staff_may_write_of_a_registration_leads_nowhere_else(
    plant: Callable[[AuthMethod], Loot], robber: Listener, record_property: Callable[[str, object], None]
) -> None:
    """The version stands in the address of every call, and its form is looked at by the admin's page alone."""
    loot = plant(first_ways()[2])
    row, tries = loot.rows[ClientRegistration], 0
    place = robber.address.removeprefix("https://")
    for version in (
        "v1",
        f"@{place}",
        f"/@{place}",
        f"//{place}",
        f"\\@{place}",
        f"?@{place}",
        f"#@{place}",
        "../..",
        "\t",
    ):
        with undone():
            values = [version[:20], f"{robber.address}/callback", row.id]
            sql = "UPDATE vault_clientregistration SET api_version = %s, redirect_uri = %s WHERE id = %s"
            assert not thief.run("web", loot.customer.tenant.id, sql, values)
            assert thief.run("staff", loot.customer.tenant.id, sql, values)
            pull(loot, [loot.customer.connection])
            tries += 1
    for name, value in (("provider", "simutek"), ("environment", "test")):
        sql = f"UPDATE vault_clientregistration SET {name} = %s WHERE id = %s"
        with undone():
            assert not thief.run("staff", loot.customer.tenant.id, sql, [value, row.id])
    reached = robber.reached_by(loot.secrets)
    record_property(TRIES, tries)
    record_property(COUNT, len(reached))
    assert (reached, robber.asked) == ([], [])


def test_every_sealed_table_is_attacked(plant: Callable[[AuthMethod], Loot]) -> None:
    loot = plant(first_ways()[2])
    assert {field.model for field in SEALED_FIELDS} == set(loot.rows), "plant a row of it, and it is attacked"
    assert all(loot.rows.values())
    attacked = {what.split(":")[0] for what, _errors in attack(loot, "web")}
    missing = {f"{field.model._meta.db_table}.{field.name}" for field in SEALED_FIELDS} - attacked
    assert missing == {"vault_grant.refresh_ciphertext"}, "which the ways with a person's consent have"


def test_the_thief_gets_it_where_nothing_is_bound(
    plant: Callable[[AuthMethod], Loot], robber: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the tests above rely on: without the binding the very same steps bring the key there, and the token."""
    monkeypatch.setattr(Binding, "text", lambda self: "")
    monkeypatch.setattr(BoundSecret, "reveal_for", lambda self, use, url="": Secret.reveal(self))
    loot, came = plant(first_ways()[2]), set()
    for what, _errors in attack(loot, "web"):
        if robber.reached_by(loot.secrets):
            came.add(what.split(":")[0])
            robber.asked.clear()
    assert {"vault_credential.ciphertext", "vault_grant.access_ciphertext"} <= came
