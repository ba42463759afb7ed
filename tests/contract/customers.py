"""A customer who connects: what one does at the provider, and what one does here with what one got there."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.db.models import F
from django.utils import timezone

from connections.jobs.models import Job
from connections.jobs.tasks import work
from connections.spec.checklist import Attestation, Checkpoint, LogProbe, MarkState, Probe
from connections.spec.operations import Arguments
from connections.spec.provider import CustomerHosts
from connections.spec.streams import Stream
from connections.sync.models import Record, RunState, StreamProgress, SyncRun, Trigger
from connections.sync.services import start_run
from connections.tenancy.scope import Actor, tenant_scope
from connections.transport.client import Client, Reply
from connections.transport.models import AuthorizationAttempt, RequestLogEntry
from connections.transport.oauth import authorization
from connections.vault import sealing
from connections.vault.models import Connection, Grant, Pin
from connections.vault.secret import Secret
from connections.vault.services import bind_company, confirm_pins, mark_healthy, store_credential, store_settings
from portal.onboarding import marks, services
from portal.onboarding.credentials import clean_credentials
from portal.onboarding.models import Mark, Onboarding
from tests.contract.auth_methods import AuthMethod, typed_in
from tests.roles import acting_as
from tests.sandbox_server import SandboxServer

AINO = Actor(1, "aino@aamu.example")
FEW, MANY = 5, 20
SESSION = "the-key-of-ainos-browser-session"


class Simulated:
    """One simulator of the running sandbox, by its uniform control API."""

    def __init__(self, server: SandboxServer, slug: str) -> None:
        self._server = copy.copy(server)
        self._server.simulator = slug
        self.hosts = server.hosts[slug]
        self.client = server.clients.get(slug, {})

    def control(self, what: str, body: Any = None, **query: Any) -> Any:
        return self._server.control(what, body, **query)

    def reset(self) -> None:
        self.control("reset", {})

    def faults(self, *wanted: Mapping[str, Any]) -> None:
        """Order these for the next calls, whatever they ask; none heals."""
        self.control("faults", [{"path": "*", **fault} for fault in wanted])

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = self.control("state")
        return found

    def records(self, stream: str, **variant: str) -> list[dict[str, Any]]:
        """What its list serves in all pages; `variant` as the stream's variants say it."""
        found = self.control("records", stream=stream, **variant)
        listed: list[dict[str, Any]] = found if isinstance(found, list) else found["records"]
        return listed


class Customer:
    """One tenant and its connection to one provider in the sandbox, in one way."""

    role = staticmethod(acting_as)  # what this process is to the database for a while
    order: Mapping[str, Any] = {}  # what is asked for at the provider, beside what is made there anyway

    def __init__(
        self, auth_method: AuthMethod, tenant: Any, simulator: Simulated, work_off: Callable[..., int]
    ) -> None:
        self.auth_method, self.provider = auth_method, auth_method.provider
        self.tenant, self.simulator, self.work_off = tenant, simulator, work_off
        self.secrets: set[str] = {value for name, value in simulator.client.items() if "secret" in name}
        with self.here():
            self.onboarding: Onboarding = services.begin(
                tenant=tenant,
                provider=auth_method.slug,
                environment="sandbox",
                auth_method=auth_method.grant,
                actor=AINO,
            )
        self.connection: Connection = self.onboarding.connection

    @contextmanager
    def here(self) -> Iterator[None]:
        """On our pages."""
        with self.role("web"), tenant_scope(self.tenant.id):
            yield

    # -- connecting ------------------------------------------------------------------------------------------------

    def connect(self) -> Customer:
        """Everything from the provider's pages to a standing connection, without the checklist."""
        self.set_up()
        self.type_in()
        self.confirm_certificates()
        if self.auth_method.login:
            attempt = self.sign_in(and_check=False)
            assert attempt.state == "exchanged", f"the login ended {attempt.state}: {attempt.reason_code}"
        with tenant_scope(self.tenant.id):
            bind_company(
                connection=self.connection,
                company_id=str(self.made.get("company_id") or ""),
                company_name=str(self.made.get("company") or "Aamu Oy"),
            )
            mark_healthy(connection=self.connection)
        self.connection.refresh_from_db()
        return self

    def set_up(self) -> None:
        """In the provider's pages: whatever must be there before anybody can connect."""
        self.made: dict[str, Any] = self.simulator.control("setup", dict(self.order))
        self.given: dict[str, str] = self._given()
        self.secrets |= {value for name, value in self.given.items() if self.provider.field(name).secret}
        for stream in self.provider.streams:
            # A call for each of them: a handful shows as much as hundreds.
            if stream.each is not None and len(self.simulator.records(stream.each.stream)) > MANY:
                self.hold(stream.each.stream, FEW)

    def _given(self) -> dict[str, str]:
        """What is then typed in here, by field."""
        told = {**self.made, **self.made["credentials"]}
        known = next(iter(self.provider.hosts.values()))
        if isinstance(known, CustomerHosts):
            told.setdefault(known.api, told.get("api_url"))
            if known.token:
                told.setdefault(known.token, told.get("auth_url"))
        told.setdefault("company_name", told.get("company") or self.tenant.name)
        if self.auth_method.wire:
            told[self.provider.wire_field] = self.auth_method.wire
        found = {}
        for name in sorted(typed_in(self.provider, self.auth_method.grant)):
            field = self.provider.field(name)
            if self.auth_method.login and name in [login.credential for login in self.provider.logins]:
                continue  # the login page gives it
            if told.get(name):
                found[name] = str(told[name])
            elif field.choices:
                found[name] = field.choices[0][0]
            else:
                assert field.optional, f"{self.auth_method.slug}: control/setup gives no {name}"
        return found

    def type_in(self) -> None:
        with self.here():
            for name, value in self.given.items():
                if self.provider.field(name).secret:
                    secret = Secret(value)
                    store_credential(connection=self.connection, name=name, secret=secret, actor=AINO)
                else:
                    store_settings(connection=self.connection, values={name: value}, actor=AINO)

    def confirm_certificates(self) -> None:
        if not any(checkpoint.pins for checkpoint in self.provider.checkpoints(self.auth_method.grant)):
            return
        with self.role("worker"):
            Client(connection=self.connection).certificates()
        with self.here():
            confirm_pins(connection=self.connection, compared=self.shown(), actor=AINO)

    def shown(self) -> list[str]:
        """What the page shows of the certificates that wait. Needs the tenant's scope."""
        return [pin.compared for pin in Pin.objects.filter(connection=self.connection, confirmed_at=None)]

    def type_anew(self, **values: str) -> None:
        """On the pages of their checkpoints, what was typed before in place of what changes, and checked."""
        before, self.given = self.given, {**self.given, **values}
        for checkpoint in self.provider.checkpoints(self.auth_method.grant):
            if set(values) & set(checkpoint.fields):
                self._type(checkpoint)
                self.work_off()
        self.given = before

    def sign_in(
        self, *, deny: bool = False, and_check: bool = True, company: int | None = None
    ) -> AuthorizationAttempt:
        """To the provider's login page and back; the attempt as it ended. `and_check=False`: the code is exchanged, and
        what follows of it, every checkpoint and a first sync, is not done. `company`: whose books the person opens.
        """
        checkpoint = next(
            each
            for each in self.provider.checkpoints(self.auth_method.grant)
            if self.auth_method.login in each.connect
        )
        with self.here():
            address = authorization.begin(
                connection=self.connection,
                login=self.auth_method.login,
                checkpoint=checkpoint.slug,
                redirect_uri=self.simulator.client["redirect_uri"],
                session=SESSION,
                actor=AINO,
            )
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        chosen = {} if company is None else {"company": company}
        location = self.simulator.control("consent", {"url": address, "deny": deny, **chosen})["location"]
        assert location.startswith(self.simulator.client["redirect_uri"]), "the browser came back elsewhere"
        back = {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
        if code := back.get("code"):
            self.secrets.add(code)
        flow = self.provider.login(self.auth_method.login)
        assert back.get("state") == asked["state"] or not flow.state_promised
        with self.role("web"):
            # A provider that does not bring `state` back leaves it to the browser's session.
            tenant_id = authorization.tenant_of(state=asked["state"])
            assert tenant_id == self.tenant.id
        with self.here():
            attempt = authorization.receive(
                provider=self.auth_method.slug,
                state=asked["state"],
                code=back.get("code", ""),
                error=back.get("error", ""),
                issuer=back.get("iss", ""),
                session=SESSION,
                actor=AINO,
            )
        assert attempt is not None
        if and_check:
            self.work_off()
        else:
            self._exchange(attempt)
        attempt.refresh_from_db(fields=["state", "reason_code"])
        return attempt

    def _exchange(self, attempt: AuthorizationAttempt) -> None:
        jobs = Job.objects.filter(subject=attempt.id)
        with self.role("worker"):
            for job in list(jobs.filter(kind=authorization.EXCHANGE)):
                work(str(job.id))
        with self.role("owner"):
            jobs.filter(kind=authorization.ATTEMPT_ENDED).delete()

    # -- the checklist ---------------------------------------------------------------------------------------------

    def walk(self, *, is_set_up: bool = False) -> dict[str, str]:
        """The whole checklist as a person walks it; the marks as they stand then."""
        if not is_set_up:
            self.set_up()
        for checkpoint in self.provider.checkpoints(self.auth_method.grant):
            self.pass_(checkpoint)
        for checkpoint in self.provider.checkpoints(self.auth_method.grant):
            if self.mark(checkpoint).state == MarkState.UNCONFIRMED:
                self._confirm(checkpoint)
            if isinstance(checkpoint.proof, Probe | LogProbe) and self.mark(checkpoint).state != MarkState.VERIFIED:
                self._check(checkpoint)
        self.connection.refresh_from_db()
        return dict(Mark.objects.filter(onboarding=self.onboarding).values_list("checkpoint", "state"))

    def mark(self, checkpoint: Checkpoint) -> Mark:
        onboarding = Onboarding.objects.select_related("connection__tenant").get(id=self.onboarding.id)
        return marks.marks_of(onboarding)[checkpoint.slug]

    def pass_(self, checkpoint: Checkpoint) -> None:
        """As a person does who has come to this checkpoint."""
        self._type(checkpoint)
        if self.auth_method.login and self.auth_method.login in checkpoint.connect:
            assert self.sign_in().state == "exchanged"
        if checkpoint.attest and isinstance(checkpoint.proof, Attestation):
            with self.here():
                services.attest(mark=self.mark(checkpoint), actor=AINO)
        if isinstance(checkpoint.proof, Probe):
            self._check(checkpoint)
        if self.mark(checkpoint).state == MarkState.UNCONFIRMED:
            self._confirm(checkpoint)
        self.work_off()

    def _type(self, checkpoint: Checkpoint) -> None:
        typed = {name: self.given[name] for name in checkpoint.fields if name in self.given}
        if typed:
            with self.here():
                services.store_credentials(
                    credentials=clean_credentials(mark=self.mark(checkpoint), values=typed), actor=AINO
                )

    def _confirm(self, checkpoint: Checkpoint) -> None:
        """What was found is what is meant."""
        with self.here():
            services.confirm(mark=self.mark(checkpoint), compared=self.shown(), actor=AINO)
        self.work_off()

    def _check(self, checkpoint: Checkpoint) -> None:
        with self.here():
            marks.ask_check(mark=self.mark(checkpoint))
        self.work_off()

    # -- what is done with a connection ------------------------------------------------------------------------------

    def client(self) -> Client:
        return Client(connection=self.connection)

    def ask(self, client: Client | None = None) -> Reply:
        """One page of the first list, as a worker."""
        stream = self.first_list
        with self.role("worker"):
            return (client or self.client()).send(stream.operation, self.question(stream))

    @property
    def first_list(self) -> Stream:
        return next(stream for stream in self.provider.streams if stream.each is None)

    def question(self, stream: Stream) -> Arguments:
        """What the first request of a stream is filled with."""
        variant = stream.variants[0] if stream.variants else {}
        return Arguments(query={**stream.query, **variant, **stream.paging.parameters({})})

    def page_of_each(self, *, whole: bool) -> None:
        """The first page of every list, or of one of them, as a worker reads it. Raises CallFailed and BadPage."""
        client = self.client()
        lists = [stream for stream in self.provider.streams if stream.each is None]
        with self.role("worker"):
            for stream in lists if whole else lists[:1]:
                reply = client.send(stream.operation, self.question(stream))
                stream.paging.read(reply.body, stream.key)

    def fresh_token(self) -> None:
        with self.role("worker"):
            self.client().new_token()

    def hold(self, stream: str, count: int) -> None:
        """Afterwards the provider serves exactly so many."""
        self.simulator.control("records", {"stream": stream, "count": count})

    def sync(self, *only: str) -> SyncRun:
        """A run to its end, or to where it waits; of all streams or these alone."""
        with self.here():
            run = start_run(connection=self.connection, trigger=Trigger.HAND, actor=AINO)
        if only:
            StreamProgress.objects.filter(run=run).exclude(stream__in=only).delete()
        self.work_off()
        run.refresh_from_db()
        return run

    def progress(self, run: SyncRun) -> dict[str, StreamProgress]:
        return {each.stream: each for each in StreamProgress.objects.filter(run=run)}

    def kept(self, stream: Stream) -> list[str]:
        """The provider's ids of what we hold."""
        ids = Record.objects.filter(connection=self.connection, stream=stream.name)
        prefixed = stream.each is not None and stream.each.prefixed
        return sorted(key.partition("/")[2] if prefixed else key for key in ids.values_list("external_id", flat=True))

    def served(self, stream: Stream) -> list[list[str]]:
        """The ids that the provider serves, list by list."""
        lists = [self.simulator.records(stream.name, **variant) for variant in stream.variants or ({},)]
        return [[str(record[stream.key]) for record in each] for each in lists]

    def expire(self) -> None:
        """The access token we hold has come to its end."""
        past = timezone.now() - timedelta(hours=2)
        Grant.objects.filter(connection=self.connection).update(issued_at=past, expires_at=past + timedelta(hours=1))

    def a_minute_later(self, minutes: int = 1) -> None:
        """What was refused was refused a minute before, and nothing waits for it any more."""
        minute = timedelta(seconds=61 * minutes)
        with self.role("owner"):
            RequestLogEntry.objects.filter(connection=self.connection).update(at=F("at") - minute)
            Grant.objects.filter(connection=self.connection).update(
                wait_until=None,
                ask_after=None,
                refused_at=F("refused_at") - minute,
                refresh_refused_at=F("refresh_refused_at") - minute,
            )
            waiting = SyncRun.objects.filter(connection=self.connection, state=RunState.WAITING)
            waiting.update(waiting_until=F("waiting_until") - minute)
            Job.objects.filter(subject__in=waiting.values_list("id", flat=True)).update(due_at=F("due_at") - minute)

    def tokens(self) -> set[str]:
        """What stands sealed in the grant, opened as a worker does."""
        with self.role("worker"), tenant_scope(self.tenant.id):
            grant = Grant.objects.select_related("connection").get(connection=self.connection)
            fields = ("access_ciphertext", "refresh_ciphertext")
            return {sealing.plaintext(grant, field) for field in fields if getattr(grant, field) is not None}

    def knows(self, code: str) -> Any:
        """The fault behind a code. Fails the test for one that nobody has words for."""
        from connections.sync import faults

        found = faults.resolve_fault(provider=self.auth_method.slug, code=code)
        assert found is not None, f"no words for the fault {code!r}"
        assert str(found.customer_message).strip(), code
        assert found.staff_message.strip(), code
        return found
