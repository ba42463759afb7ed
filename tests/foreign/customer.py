"""Our side of a trial: a customer who connects, and runs that are worked off while time passes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

from connections.jobs.models import Job
from connections.jobs.tasks import work
from connections.spec.checklist import Attestation, Inference, MarkState
from connections.spec.grants import AuthorizationCode
from connections.sync.models import ACTIVE, Schedule, ScheduleKind, StreamProgress, SyncRun, Trigger
from connections.sync.schedule import SCHEDULED
from connections.sync.services import start_run
from connections.tenancy.scope import Actor, tenant_scope
from connections.transport.client import Client
from connections.transport.oauth import authorization
from connections.vault.models import Connection, Pin
from connections.vault.secret import Secret
from connections.vault.services import bind_company, confirm_pins, mark_healthy, store_credential, store_settings
from portal.onboarding import services
from portal.onboarding.models import Mark, Onboarding
from tests.due_jobs import due
from tests.foreign.clock import Clock
from tests.foreign.server import ForeignServer
from tests.roles import acting_as

AINO = Actor(1, "aino@aamu.example")
SESSION = "the-key-of-ainos-browser-session"
BACK = "https://portal.example/callback"
MOST_JOBS = 400  # in one go
SECRET = ("api_key", "client_secret")


class Stuck(Exception):
    """The queue does not run empty."""


class Customer:
    def __init__(
        self, server: ForeignServer, tenant: Any, grant: Any, wire: str, streams: tuple[str, ...], clock: Clock
    ) -> None:
        """`streams`: those that runs read."""
        self.server, self.tenant, self.grant, self.streams, self.clock = server, tenant, grant, streams, clock
        self.waited: list[float] = []  # seconds between one wake and the next
        with self.here():
            self.onboarding: Onboarding = services.begin(
                tenant=tenant, provider=server.slug, environment="sandbox", auth_method=grant.name, actor=AINO
            )
        self.connection: Connection = self.onboarding.connection
        self._type_in(wire)

    @contextmanager
    def here(self) -> Iterator[None]:
        """On our pages."""
        with acting_as("web"), tenant_scope(self.tenant.id):
            yield

    def connect(self, company_id: str) -> None:
        """Everything up to a connection that stands, its checklist passed."""
        marks = {each.slug: each for each in self.provider.checkpoints(self.grant.name)}
        if any(each.pins for each in marks.values()):
            self._confirm_certificates()
        if isinstance(self.grant, AuthorizationCode):
            self._sign_in()
        for slug, checkpoint in marks.items():
            proof = checkpoint.proof
            state = MarkState.ATTESTED if isinstance(proof, Attestation) else MarkState.VERIFIED
            state = MarkState.INFERRED if isinstance(proof, Inference) else state
            Mark.objects.filter(onboarding=self.onboarding, checkpoint=slug).update(state=state)
        with tenant_scope(self.tenant.id):
            bind_company(connection=self.connection, company_id=company_id, company_name="Aamu Oy")
            mark_healthy(connection=self.connection)
            by_hand = Schedule(tenant=self.tenant, connection=self.connection, kind=ScheduleKind.HAND)
            by_hand.save(force_insert=True)
        self.connection.refresh_from_db()

    @property
    def provider(self) -> Any:
        from connections.providers.registry import all_providers

        return all_providers()[self.server.slug]

    def _type_in(self, wire: str) -> None:
        told = {
            **self.server.keys,
            "api_url": self.server.address,
            "auth_url": self.server.address,
            "company_name": "Aamu Oy",
            "tax_codes": "text",
            "format": wire,
        }
        wanted = {name for each in self.provider.checkpoints(self.grant.name) for name in each.fields}
        with self.here():
            for name in sorted(wanted & {name for name, value in told.items() if value}):
                if name in SECRET:
                    secret = Secret(told[name])
                    store_credential(connection=self.connection, name=name, secret=secret, actor=AINO)
                else:
                    store_settings(connection=self.connection, values={name: told[name]}, actor=AINO)

    def _confirm_certificates(self) -> None:
        with acting_as("worker"):
            Client(connection=self.connection).certificates()
        with self.here():
            shown = [pin.compared for pin in Pin.objects.filter(connection=self.connection, confirmed_at=None)]
            confirm_pins(connection=self.connection, compared=shown, actor=AINO)

    def _sign_in(self) -> None:
        with self.here():
            address = authorization.begin(
                connection=self.connection,
                login=self.grant.name,
                checkpoint="",
                redirect_uri=BACK,
                session=SESSION,
                actor=AINO,
            )
        back = self.server.consent(address)
        state = parse_qs(urlsplit(address).query)["state"][0]
        with self.here():
            attempt = authorization.receive(
                provider=self.server.slug,
                state=state,
                code=back["code"],
                error="",
                issuer="",
                session=SESSION,
                actor=AINO,
            )
        assert attempt is not None
        self.work_off()
        attempt.refresh_from_db(fields=["state", "reason_code"])
        assert attempt.state == "exchanged", f"the login ended {attempt.state}: {attempt.reason_code}"

    # -- runs ------------------------------------------------------------------------------------------------------------

    def run(self, most_wakes: int) -> SyncRun:
        """The active run, or a new one, to its end or until it was woken so often."""
        with self.here():
            connection = Connection.objects.select_related("tenant").get(id=self.connection.id)
            run = start_run(connection=connection, trigger=Trigger.HAND, actor=AINO)
        StreamProgress.objects.filter(run=run).exclude(stream__in=self.streams).delete()
        for _ in range(most_wakes):
            self.work_off()
            run.refresh_from_db()
            if run.state not in ACTIVE:
                break
            seconds = self.clock.until_due(but=(SCHEDULED,))
            if seconds is None:
                break
            if seconds > 0:
                self.waited.append(seconds)
                self.clock.pass_by(seconds + 0.001)
        return run

    def settle(self, most_wakes: int) -> None:
        """Whatever else is due: what follows from a run's end, checks that are asked for again."""
        for _ in range(most_wakes):
            self.work_off()
            seconds = self.clock.until_due(but=(SCHEDULED,))
            if seconds is None:
                return
            self.clock.pass_by(max(seconds, 0) + 0.001)

    def work_off(self) -> None:
        with acting_as("worker"):
            for _ in range(MOST_JOBS):
                found = due(1)
                if not found:
                    return
                work(str(found[0][0]))
        raise Stuck(", ".join(sorted(set(Job.objects.filter(state="queued").values_list("kind", flat=True)))))
