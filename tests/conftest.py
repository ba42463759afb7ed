"""People, places and roles that tests share. Rows are made as the owner; requests run as web, jobs as worker."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.core.signals import setting_changed
from django.dispatch import receiver
from django.test import Client as DjangoClient

from tests import kinds
from tests.roles import acting_as

PASSWORD = "correct horse battery staple"


_no_processes = kinds.NoProcesses()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        kinds.mark(item)
    if "PYTEST_XDIST_WORKER" in os.environ:
        kinds.begin_with_the_dearest(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> kinds.Groups | None:
    return kinds.Groups(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    _no_processes.stands = kinds.starts_none(item)
    try:
        return (yield)
    finally:
        _no_processes.stands = False


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment: None, django_db_blocker: Any) -> Iterator[None]:
    """This process's test database, whichever fixture asks for it first; the servers start here unless they are warm."""
    from tests import databases

    _no_processes.stands = False  # a keeper of servers is no process of the test
    with django_db_blocker.unblock(), databases.test_database():
        yield


@pytest.fixture(scope="session", autouse=True)
def key_files(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Throw-away key material; in tests one process is web, worker and owner in turn, so it holds both."""
    import tink
    from tink import aead, secret_key_access

    aead.register()
    folder = tmp_path_factory.mktemp("keys")
    for setting in ("KEK_FILE", "WEB_KEYSET_FILE"):
        if not getattr(settings, setting):
            handle = tink.new_keyset_handle(aead.aead_key_templates.AES256_GCM)
            path = folder / setting.lower()
            path.write_text(tink.json_proto_keyset_format.serialize(handle, secret_key_access.TOKEN))
            setattr(settings, setting, str(path))
    settings.DEMO_MAIL_DIR = folder / "mail"


@pytest.fixture(autouse=True)
def no_counts(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a test counts against a limit stands outside its transaction, and is taken away after it."""
    from portal.rate_limits import database as limits

    yield
    if not limits.is_open():
        return
    blocker = request.getfixturevalue("django_db_blocker")
    with blocker.unblock():
        with limits.cursor() as cursor:
            cursor.execute("DELETE FROM rate_limits_usage; DELETE FROM rate_limits_cacheentry")
        limits.close()


@pytest.fixture
def set_rates() -> Iterator[Callable[..., None]]:
    """`set_rates(limit, 2, 5)`: this limit's rates, in their order, with these numbers of uses while the test runs."""
    from dataclasses import replace

    before = []

    def change(limit: Any, *most: int) -> None:
        before.append((limit, limit.rates))
        rates = tuple(replace(rate, most=number) for rate, number in zip(limit.rates, most, strict=True))
        object.__setattr__(limit, "rates", rates)  # frozen for everybody but tests

    yield change
    for limit, rates in reversed(before):
        object.__setattr__(limit, "rates", rates)


@pytest.fixture(scope="session", autouse=True)
def quick_passwords() -> None:
    settings.PASSWORD_HASHERS = ["tests.hashing.Quick"]


_middleware: list[Any] = []  # of the first client, for all: loading it reads every static file's head


# Settings that some middleware reads once, when it is loaded.
READ_BY_MIDDLEWARE = ("MIDDLEWARE", "DEBUG", "SESSION_ENGINE", "SECURE_", "WHITENOISE_", "STATIC", "STORAGES")


@receiver(setting_changed)
def load_middleware_again(setting: str, **_: Any) -> None:
    if setting.startswith(READ_BY_MIDDLEWARE):
        _middleware.clear()


class RoleClient(DjangoClient):
    """Django's test client whose requests run as portal_web, with row security."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not _middleware:
            self.handler.load_middleware()
            _middleware.append(self.handler._middleware_chain)
        self.handler._middleware_chain = _middleware[0]

    def request(self, **request: Any) -> Any:
        with acting_as("web"):
            return super().request(**request)


@pytest.fixture
def client(rows: None) -> RoleClient:
    """With the database: each request takes the web's role there, whatever its page asks."""
    return RoleClient()


@pytest.fixture
def sign_in(client: RoleClient) -> Callable[..., RoleClient]:
    """`sign_in(alice)` gives a client with her session; `lately=False`, one that sensitive steps ask for the password."""
    from portal.members.sessions import ACTIVE_AT, STARTED_AT
    from portal.members.stepup import JOINED_AT

    def enter(user: Any, *, lately: bool = True) -> RoleClient:
        fresh = RoleClient()
        # As the row is now: a change of rights has ended what was opened before it.
        fresh.force_login(type(user).objects.get(pk=user.pk))
        session = fresh.session
        session[STARTED_AT] = session[ACTIVE_AT] = time.time()
        if lately:
            session[JOINED_AT] = time.time()
        session.save()
        return fresh

    return enter


@pytest.fixture
def committed_db(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Real commits, emptied afterwards: for threads, durable transactions and other processes."""
    from tests import databases

    with django_db_blocker.unblock():
        databases.empty()
        yield
        databases.empty()


@pytest.fixture
def rows(request: pytest.FixtureRequest) -> None:
    """The database, whichever way the test asked for it."""
    if "committed_db" in request.fixturenames:
        request.getfixturevalue("committed_db")
    else:
        request.getfixturevalue("db")


@pytest.fixture
def system_key(rows: None) -> None:
    from connections.vault import keys

    with acting_as("worker"):
        keys.make_system_key()


def founded(name: str, slug: str) -> Any:
    """An active tenant with its key pair."""
    from connections.jobs.services import claim, succeed
    from connections.vault import keys
    from connections.vault.services import create_tenant

    tenant = create_tenant(name=name, slug=slug)
    from connections.jobs.models import Job

    job = Job.objects.get(kind=keys.MAKE_TENANT_KEY, subject=tenant.id)
    with acting_as("worker"):
        lease = claim(job.id)
        assert lease is not None
        keys.make_tenant_key(lease)
        succeed(lease)
    tenant.refresh_from_db()
    return tenant


@pytest.fixture
def aamu(system_key: None) -> Any:
    return founded("Aamu Oy", "aamu")


@pytest.fixture
def kaste(system_key: None) -> Any:
    return founded("Kaste Oy", "kaste")


def person(email: str, **fields: Any) -> Any:
    from allauth.account.models import EmailAddress

    from portal.members.models import User

    user = User.objects.create_user(email, PASSWORD, **fields)
    EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
    return user


def joined(user: Any, tenant: Any, role: str) -> Any:
    from portal.members.models import Membership

    Membership(tenant=tenant, user=user, role=role).save(force_insert=True)
    return user


@pytest.fixture
def alice(aamu: Any) -> Any:
    return joined(person("alice@aamu.example", name="Alice Aalto"), aamu, "owner")


@pytest.fixture
def bob(aamu: Any) -> Any:
    return joined(person("bob@aamu.example", name="Bob Borg"), aamu, "operator")


@pytest.fixture
def vera(aamu: Any) -> Any:
    return joined(person("vera@aamu.example", name="Vera Virta"), aamu, "viewer")


@pytest.fixture
def charlie(kaste: Any) -> Any:
    return joined(person("charlie@kaste.example", name="Charlie Koski"), kaste, "owner")


@pytest.fixture
def dana(rows: None) -> Any:
    return person("dana@pilotage.example", name="Dana", staff_role="support")


@pytest.fixture
def ada(rows: None) -> Any:
    return person("ada@pilotage.example", name="Ada", staff_role="admin")


@pytest.fixture(scope="session")
@kinds.starts_processes
def sandbox_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from tests.sandbox_server import SandboxServer

    server = SandboxServer(tmp_path_factory.mktemp("sandbox"), records="small")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def sandbox(sandbox_process: Any, system_key: None, settings: Any) -> Any:
    """The running simulators, the portal pointed at them, and our client registration stored. Counters start at zero."""
    from connections.vault.secret import Secret
    from connections.vault.services import register_client
    from portal.env import SandboxHosts

    settings.SANDBOX_HOSTS = {slug: SandboxHosts(**parts) for slug, parts in sandbox_process.hosts.items()}
    ours = sandbox_process.clients["procountor"]
    register_client(
        provider="procountor",
        environment="sandbox",
        client_id=ours["client_id"],
        client_secret=Secret(ours["client_secret"]),
        redirect_uri=ours.get("redirect_uri", ""),
    )
    sandbox_process.reset()
    return sandbox_process


@pytest.fixture
def connection(aamu: Any, sandbox: Any) -> Any:
    """A Procountor connection of Aamu Oy in the sandbox environment, in set-up, without a credential."""
    from connections.tenancy.scope import SYSTEM, tenant_scope
    from connections.vault.services import open_connection

    with tenant_scope(aamu.id):
        return open_connection(tenant=aamu, provider="procountor", environment="sandbox", actor=SYSTEM)


@pytest.fixture
def connected(connection: Any, sandbox: Any) -> Any:
    """The same with a working API key, bound to its company, connected. `.api_key` is its text, `.api_user` its user."""
    from connections.tenancy.scope import SYSTEM, tenant_scope
    from connections.vault.secret import Secret
    from connections.vault.services import bind_company, mark_healthy, store_credential

    made = sandbox.setup_company()
    with tenant_scope(connection.tenant_id):
        store_credential(connection=connection, name="api_key", secret=Secret(made["api_key"]), actor=SYSTEM)
        bind_company(connection=connection, company_id=str(made["company_id"]), company_name="Aamu Oy")
        mark_healthy(connection=connection)
    connection.refresh_from_db()
    connection.api_key, connection.api_user = made["api_key"], made["user_id"]
    return connection


@pytest.fixture
def work_off(rows: None) -> Callable[..., int]:
    """`work_off()` does every due job in this process, as the worker role, and returns how many it did."""
    from connections.jobs.tasks import work
    from tests.due_jobs import due

    def run(most: int = 200) -> int:
        done = 0
        with acting_as("worker"):
            while done < most:
                found = due(1)
                if not found:
                    return done
                work(str(found[0][0]))
                done += 1
        message = "the queue does not run empty"
        raise AssertionError(message)

    return run


@pytest.fixture(autouse=True)
def no_doorbell(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """In-process tests have no worker to ring for; live ones ask for the fixture `doorbell`."""
    if "doorbell" not in request.fixturenames:
        from connections.jobs import services

        monkeypatch.setattr(services, "_ring", None)


@pytest.fixture(autouse=True)
def tokens_settle_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new token that is refused is sent again without five seconds of waiting."""
    from connections.transport import client

    monkeypatch.setattr(client, "TOKEN_SPREADS_SECONDS", 0.01)


@pytest.fixture(autouse=True)
def nothing_revealed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What other tests have revealed in this process is taken out of no text of the next one."""
    from connections.vault import secret

    monkeypatch.setattr(secret, "_revealed", {})


@pytest.fixture(autouse=True)
def full_retry_budget() -> None:
    """What other tests have retried in this process is not held against the next one."""
    from connections.transport.limits import retry

    retry.budget_of.cache_clear()


@pytest.fixture
def doorbell() -> None:
    """Marks a test whose processes really listen."""
