"""What the abuse drill happens in: PostgreSQL, the tables, people and tenants; this process is the web, at times the worker."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from tests.drills.house import House

PASSWORD = "correct horse battery staple"


class PagesHouse(House):
    """PostgreSQL, the roles and the tables; this process is the web, and for a moment the worker."""

    def start(self) -> None:
        self.start_servers()
        self.set_up_django(**self.plan.kek, **self.plan.web_keyset)
        import logging

        from django.conf import settings

        from connections.jobs import services
        from portal.rate_limits import limits

        settings.PASSWORD_HASHERS = ["tests.hashing.Quick"]
        services._ring = None
        logging.disable(logging.WARNING)
        for limit in limits.ALL:
            # Nothing opens again while this machine is busy: what is judged is how many, not how quickly.
            object.__setattr__(limit, "rates", tuple(replace(rate, seconds=limits.DAY) for rate in limit.rates))
        self._logins = {"owner": self.plan.owner_url, "web": self.plan.web_url, "worker": self.plan.worker_url}

    def be(self, role: str) -> None:
        from django.db import connection

        from portal.rate_limits import database

        database.close()
        connection.close()
        login = urlsplit(self._logins[role]).username
        connection.settings_dict.update(USER=login, PASSWORD=self.keys.password(login or ""))

    @contextmanager
    def being(self, role: str) -> Iterator[None]:
        self.be(role)
        yield
        self.be("web")

    def work_off(self, most: int = 2000) -> int:
        """Every due job but checks, which would ask a provider."""
        from django.db.models.functions import Now

        from connections.jobs.models import Job
        from connections.jobs.tasks import work

        with self.being("worker"):
            for done in range(most):
                due = Job.objects.filter(state="queued", due_at__lte=Now()).exclude(kind="onboarding.check").first()
                if due is None:
                    return done
                work(str(due.id))
        sys.exit("FAILED: the queue does not run empty")


def populate(house: PagesHouse) -> list[Any]:
    """Eight tenants with keys, by their address; everybody who takes part is a member of one, or staff."""
    from connections.tenancy.models import Tenant
    from connections.vault import keys
    from connections.vault.models import ClientRegistration
    from connections.vault.services import create_tenant
    from tests.conftest import joined, person

    with house.being("worker"):
        keys.make_system_key()
    with house.being("owner"):
        for number in range(8):
            create_tenant(name=f"Company {number}", slug=f"company-{number}")
    house.work_off()
    with house.being("owner"):
        ClientRegistration.objects.create(provider="procountor", environment="test", client_id="ours")
        tenants = list(Tenant.objects.order_by("slug"))
        for role in ("viewer", "operator", "owner"):
            joined(person(f"{role}@a.example", name=role), tenants[0], role)
        for number, name in enumerate(("office", "large", "guessed"), 1):
            joined(person(f"{name}@a.example", name=name), tenants[number], "owner")
        for role in ("support", "admin"):
            person(f"{role}@pilotage.example", name=role, staff_role=role)
    return tenants
