"""A customer in the storm: connected by the tables' owner, synced by the workers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from connections.jobs.models import Job
from connections.sync.models import StreamCursor, SyncRun, Trigger
from connections.sync.services import start_run
from connections.tenancy.scope import SYSTEM, tenant_scope
from connections.transport.client import Client
from connections.transport.models import AuthorizationAttempt
from connections.transport.oauth import authorization
from connections.vault.services import confirm_pins
from tests.contract.auth_methods import AuthMethod
from tests.contract.customers import AINO, Customer, Simulated
from tests.drills.house import House, until


class StormCustomer(Customer):
    """One connection of one tenant, in one way."""

    @staticmethod
    def role(name: str) -> AbstractContextManager[None]:
        """The tables' owner may not become anybody else."""
        return nullcontext()

    def __init__(self, house: House, auth_method: AuthMethod, tenant: Any) -> None:
        super().__init__(auth_method, tenant, Simulated(house.sandbox, auth_method.slug), lambda: 0)

    @contextmanager
    def here(self) -> Iterator[None]:
        with tenant_scope(self.tenant.id):
            yield

    def set_up(self) -> None:
        """Without making the lists shorter, as the contract's customers do: others read them, too."""
        self.made: dict[str, Any] = self.simulator.control("setup", {})
        self.given: dict[str, str] = self._given()

    def confirm_certificates(self) -> None:
        if not any(checkpoint.pins for checkpoint in self.provider.checkpoints(self.auth_method.grant)):
            return
        Client(connection=self.connection).certificates()
        with self.here():
            confirm_pins(connection=self.connection, compared=self.shown(), actor=AINO)

    def _exchange(self, attempt: AuthorizationAttempt) -> None:
        jobs = Job.objects.filter(subject=attempt.id, kind=authorization.EXCHANGE)
        until(lambda: not jobs.exclude(state="succeeded").exists(), f"the login of {self.auth_method}")

    @property
    def runs(self) -> Any:
        return SyncRun.objects.filter(connection=self.connection)

    def is_at_rest(self) -> bool:
        return not SyncRun.objects.active().filter(connection=self.connection).exists()

    def read(self, *, everything: bool = False) -> SyncRun:
        """Ask for a run; of everything, not only of what changed."""
        if everything:
            StreamCursor.objects.filter(connection=self.connection).update(newest="")
        with self.here():
            return start_run(connection=self.connection, trigger=Trigger.HAND, actor=SYSTEM)
