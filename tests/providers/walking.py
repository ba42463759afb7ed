"""A customer on any provider's checklist, without a browser: what is typed, approved, compared and confirmed."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from connections.providers import registry
from connections.spec.checklist import Attestation, Checkpoint, MarkState
from connections.sync.models import SyncRun
from connections.tenancy.scope import Actor, tenant_scope
from connections.transport.oauth import authorization
from connections.vault.models import Connection, Pin
from connections.vault.secret import Secret
from connections.vault.services import register_client
from portal.onboarding import marks, services
from portal.onboarding.credentials import clean_credentials
from portal.onboarding.models import Mark
from tests.roles import acting_as

AINO = Actor(1, "aino@aamu.example")
SESSION = "a-browser-session"


class Walker:
    """One tenant's walk through one provider's checklist by one way, against its simulator."""

    def __init__(self, *, tenant: Any, server: Any, slug: str, auth_method: str, work_off: Any) -> None:
        self.tenant, self.work_off = tenant, work_off
        self.server = copy.copy(server)  # the same process, spoken to at another simulator
        self.server.simulator = slug
        self.provider = registry.all_providers()[slug]
        self.client = server.clients.get(slug) or {}
        if self.client:
            register_client(
                provider=slug,
                environment="sandbox",
                client_id=self.client["client_id"],
                client_secret=Secret(self.client["client_secret"]),
                redirect_uri=self.client["redirect_uri"],
            )
        with self.inside():
            self.onboarding = services.begin(
                tenant=tenant, provider=slug, environment="sandbox", auth_method=auth_method, actor=AINO
            )
        self.setup: dict[str, Any] = {}

    @contextmanager
    def inside(self) -> Iterator[None]:
        with acting_as("web"), tenant_scope(self.tenant.id):
            yield

    @property
    def connection(self) -> Connection:
        return Connection.objects.select_related("tenant").get(id=self.onboarding.connection_id)

    def mark(self, checkpoint: str) -> Mark:
        rows = Mark.objects.select_related("onboarding__connection__tenant")
        return rows.get(onboarding=self.onboarding, checkpoint=checkpoint)

    def states(self) -> dict[str, str]:
        return dict(Mark.objects.filter(onboarding=self.onboarding).values_list("checkpoint", "state"))

    def prepare(self, **options: Any) -> Mapping[str, Any]:
        """Everything that a customer makes at the provider. Gives what they would type."""
        self.setup = self.server.control("setup", options)
        return self.setup

    def typed(self, checkpoint: Checkpoint) -> dict[str, str]:
        values = {**self.setup.get("credentials", {}), **{k: v for k, v in self.setup.items() if isinstance(v, str)}}
        values.setdefault("company_name", "Aamu Oy")
        typed = {}
        for name in checkpoint.fields:
            field = self.provider.field(name)
            typed[name] = values.get(name) or (field.choices[0][0] if field.choices else "")
        return typed

    def give(self, checkpoint: str, **changed: str) -> None:
        declared = self.provider.checkpoint(checkpoint, self.connection.auth_method)
        with self.inside():
            values = {**self.typed(declared), **changed}
            services.store_credentials(
                credentials=clean_credentials(mark=self.mark(checkpoint), values=values), actor=AINO
            )
        self.work_off()

    def connect(self, checkpoint: str, login: str, *, deny: bool = False) -> Any:
        """To the provider's login page and back; the attempt as it ended."""
        with self.inside():
            url = authorization.begin(
                connection=self.connection,
                login=login,
                checkpoint=checkpoint,
                redirect_uri=self.client["redirect_uri"],
                session=SESSION,
                actor=AINO,
            )
        location = self.server.control("consent", {"url": url, "deny": deny})["location"]
        return self.come_back(location)

    def come_back(self, location: str, session: str = SESSION) -> Any:
        from urllib.parse import parse_qs, urlsplit

        query = {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
        with self.inside():
            attempt = authorization.receive(
                provider=self.provider.slug,
                state=query.get("state", ""),
                code=query.get("code", ""),
                error=query.get("error", ""),
                issuer=query.get("iss", ""),
                session=session,
                actor=AINO,
            )
        self.work_off()
        if attempt is not None:
            attempt.refresh_from_db()
        return attempt

    def check(self, checkpoint: str) -> None:
        with self.inside():
            marks.ask_check(mark=self.mark(checkpoint))
        self.work_off()

    def confirm(self, checkpoint: str) -> None:
        with self.inside():
            waiting = Pin.objects.filter(connection_id=self.onboarding.connection_id, confirmed_at=None)
            compared = [pin.compared for pin in waiting]
            services.confirm(mark=self.mark(checkpoint), compared=compared, actor=AINO)
        self.work_off()

    def walk(self) -> dict[str, str]:
        """The whole checklist, in its order, to the first sync."""
        declared = self.provider.checkpoints(self.connection.auth_method)
        for checkpoint in declared:
            if checkpoint.connect and not checkpoint.fields:
                attempt = self.connect(checkpoint.slug, checkpoint.connect[0])
                assert attempt.state == "exchanged", attempt.reason_code
                self.check(checkpoint.slug)
            elif checkpoint.fields:
                self.give(checkpoint.slug)
            elif isinstance(checkpoint.proof, Attestation) and checkpoint.attest:
                with self.inside():
                    services.attest(mark=self.mark(checkpoint.slug), actor=AINO)
            if checkpoint.slug == "company" or checkpoint.pins:
                self.check(checkpoint.slug)
                assert self.mark(checkpoint.slug).state == MarkState.UNCONFIRMED, self.evidence(checkpoint.slug)
                self.confirm(checkpoint.slug)
        for checkpoint in declared:
            if checkpoint.confirm and self.mark(checkpoint.slug).state == MarkState.UNCONFIRMED:
                self.confirm(checkpoint.slug)
        self.work_off()
        return self.states()

    def evidence(self, checkpoint: str) -> list[tuple[str, Any]]:
        return list(self.mark(checkpoint).evidence.values_list("code", "values"))

    def runs(self) -> list[SyncRun]:
        return list(SyncRun.objects.filter(connection_id=self.onboarding.connection_id).order_by("queued_at"))
