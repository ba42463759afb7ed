"""A customer in the canary sweep: connects over the pages, meets every trouble, and leaves; with secrets all the while."""

from __future__ import annotations

import re
import threading
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from django.db import connection as database
from django.db.models import Q
from django.utils import timezone

from connections.jobs.models import Job, JobState
from connections.spec.checklist import Checkpoint
from connections.tenancy.models import Tenant
from connections.transport.models import AuthorizationAttempt
from connections.vault.models import Connection, Grant
from portal.onboarding.models import Mark
from tests.contract.auth_methods import AuthMethod
from tests.contract.customers import Customer, Simulated
from tests.drills.canary_echo import echo, opened, sent_for_tokens, sent_in_calls
from tests.drills.canary_house import CanaryHouse, Needles, odd
from tests.drills.canary_visitor import Visitor, forms, links
from tests.drills.house import until

MET = (
    {"status": 401, "times": 2},
    {"status": 400, "times": 2},
    {"status": 200, "times": 1},
    {"status": 403, "times": 2},
    {"status": 500, "times": 1},
    {"status": 200, "times": 1, "content_type": "text/html"},
)


class Watch:
    """Learns every token, code and verifier that is ever sealed, as it comes; what the drill looks for afterwards."""

    def __init__(self, needles: Needles) -> None:
        self.needles = needles
        self._seen: set[bytes] = set()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._go, daemon=True)
        self._thread.start()

    def _go(self) -> None:
        while not self._ended.wait(0.05):
            self.look()
        database.close()

    def close(self) -> None:
        self._ended.set()
        self._thread.join(30)

    def look(self) -> None:
        for grant in Grant.objects.select_related("connection"):
            of = f"of {grant.connection.provider}"
            for kind, field in (("access token", "access_ciphertext"), ("refresh token", "refresh_ciphertext")):
                self._open(f"{kind} {of}", grant, field)
        for attempt in AuthorizationAttempt.objects.select_related("connection"):
            of = f"of {attempt.connection.provider}"
            for kind in ("verifier", "code"):
                self._open(f"{kind} {of}", attempt, f"{kind}_ciphertext")

    def _open(self, what: str, row: Any, field: str) -> None:
        ciphertext = bytes(getattr(row, field) or b"")
        if not ciphertext or ciphertext in self._seen:
            return
        self._seen.add(ciphertext)
        if secret := opened(row, field):
            self.needles.add(what, secret)


class Guest(Customer):
    """Does over the pages what a `Customer` does in one process. Each has a company of their own."""

    def __init__(self, house: CanaryHouse, auth_method: AuthMethod, tenant: Tenant, visitor: Visitor) -> None:
        self.house, self.tenant, self.visitor, self.needles = house, tenant, visitor, house.needles
        self.auth_method, self.provider, self.secrets = auth_method, auth_method.provider, set()
        self.simulator = Simulated(house.sandbox, auth_method.slug)

    # -- in -----------------------------------------------------------------------------------------------------------

    def come(self) -> None:
        begun = self.visitor.get(f"/t/{self.tenant.slug}/connect/{self.auth_method.slug}/")
        checklist = self.visitor.submit(
            begun, f"/connect/{self.auth_method.slug}/", auth_method=self.auth_method.grant
        )
        found = re.search(r"/c/([0-9a-f-]{36})/checklist/", checklist.url)
        assert found, f"{self.auth_method}: no connection was begun, but {checklist.url}"
        self.connection = Connection.objects.select_related("tenant").get(id=found[1])
        self.home = f"/t/{self.tenant.slug}/c/{self.connection.id}/"
        self.set_up()
        self._choose()
        for checkpoint in self.provider.checkpoints(self.auth_method.grant):
            self._do(checkpoint)
        self.quiet()

    def _choose(self) -> None:
        """Secrets that look different in every encoding, in place of those that were handed out."""
        for name in self.secret_fields:
            chosen = self.house.choose_secret(self.auth_method.slug, self.given[name], self.given.get("client_id", ""))
            self.given[name] = chosen
            self.needles.add(f"customer's {name} at {self.auth_method}", chosen)

    def page(self, checkpoint: Checkpoint) -> requests.Response:
        return self.visitor.get(f"{self.home}checklist/{checkpoint.slug}/")

    def _do(self, checkpoint: Checkpoint) -> None:
        self.visitor.prove()
        typed = {name: self.given[name] for name in checkpoint.fields if name in self.given}
        if typed:
            wrong = self._wrong(typed)
            self.give(checkpoint, {**typed, **{name: f"{secret} {secret}" for name, secret in wrong.items()}})
            self.give(checkpoint, {**typed, **wrong})
            self.give(checkpoint, typed)
        if self.auth_method.login and self.auth_method.login in checkpoint.connect:
            self.sign_in_there(checkpoint)
        for deed in ("/attest/", "/check/", "/confirm/"):
            page = self.page(checkpoint)
            if any(form.action.endswith(deed) for form in forms(page)):
                self.visitor.submit(page, deed)
                self.quiet()

    def _wrong(self, typed: dict[str, str]) -> dict[str, str]:
        """A mistaken secret is one, too: somebody's password, perhaps. Typed twice in one field it is not even taken."""
        wrong = {name: odd() for name in typed if self.provider.field(name).secret}
        for name, secret in wrong.items():
            self.needles.add(f"mistaken {name} at {self.auth_method}", secret)
        return wrong

    def give(self, checkpoint: Checkpoint, typed: dict[str, str]) -> None:
        self.visitor.submit(self.page(checkpoint), "/fields/", **typed)
        self.quiet()

    @property
    def secret_fields(self) -> list[str]:
        """Of what the customer types in."""
        return [name for name in self.given if self.provider.field(name).secret]

    def give_anew(self) -> requests.Response:
        """Type the secret in once more; whatever is answered."""
        self.visitor.prove()
        checkpoint = next(
            each
            for each in self.provider.checkpoints(self.auth_method.grant)
            if set(each.fields) & set(self.secret_fields)
        )
        typed = {name: self.given[name] for name in checkpoint.fields if name in self.given}
        return self.visitor.submit(self.page(checkpoint), "/fields/", **typed)

    def sign_in_there(self, checkpoint: Checkpoint) -> None:
        """To the provider's login page and back."""
        departure = self.visitor.submit(self.page(checkpoint), f"/connect/{self.auth_method.login}/")
        address = next(href for href, ident in links(departure).items() if ident == "go-to-provider")
        [state] = parse_qs(urlsplit(address).query)["state"]
        self.needles.add(f"state of {self.auth_method}", state)
        location = self.simulator.control("consent", {"url": address})["location"]
        back = urlsplit(location)
        for code in parse_qs(back.query).get("code", ()):
            self.needles.add(f"code of {self.auth_method}", code)
        if "state" not in parse_qs(back.query):
            location += f"&state={state}"
        self.visitor.get(f"{back.path}?{urlsplit(location).query}")
        self.quiet()
        self.visitor.get(f"{back.path}?{urlsplit(location).query}")  # the browser's way back, once more

    def quiet(self, seconds: float = 120) -> None:
        """Wait until nothing of this tenant is due or being done; what waits for a later time may wait."""

        def nothing() -> bool:
            due = Q(state=JobState.QUEUED, due_at__lte=timezone.now() + timedelta(seconds=1))
            return not Job.objects.filter(due | Q(state=JobState.RUNNING), tenant=self.tenant).exists()

        until(nothing, f"the jobs of {self.auth_method}", seconds=seconds, every=0.05)

    @property
    def is_connected(self) -> bool:
        self.connection.refresh_from_db()
        return self.connection.state == "connected"

    @property
    def marks(self) -> dict[str, str]:
        found = Mark.objects.filter(onboarding__connection=self.connection)
        return dict(found.values_list("checkpoint", "state"))

    # -- trouble --------------------------------------------------------------------------------------------------------

    def meet_troubles(self, short: bool) -> None:
        """A sync and a tried request at each; the provider repeats in its answer what it was sent, and it is recorded."""
        self.visitor.prove()
        self.visitor.submit(self.visitor.get(f"{self.home}recording/"), "/recording/start/", minutes="60")
        for trouble in MET[:3] if short else MET:
            for deed in (self.sync_now, self.try_request):
                self.forget_refusals()
                self.simulator.control("faults", [echo(trouble, sent_in_calls(self.connection), self.provider)])
                deed()
                self.quiet()
        ours = self.needles.named(f"our client secret at {self.auth_method.slug}")
        known = [*ours, *sent_for_tokens(self.connection)]
        self.simulator.control("faults", [echo({"status": 500, "times": 1}, known, self.provider)])
        self.expire()
        self.sync_now()
        self.quiet()
        self.simulator.faults()
        self.read_what_was_recorded()

    def forget_refusals(self) -> None:
        """Otherwise what was refused a moment ago would not be sent, and nothing be repeated."""
        Grant.objects.filter(connection=self.connection).update(refusals=0, wait_until=None, wait_with="")

    def read_what_was_recorded(self) -> None:
        self.visitor.prove()
        page = self.visitor.get(f"{self.home}recording/")
        recorded = [href for href in links(page) if re.search(r"/recording/[0-9a-f-]{36}/$", href)]
        assert len(recorded) > 3, f"{self.auth_method}: {len(recorded)} requests were recorded"
        for href in recorded:
            self.visitor.get(href)

    def sync_now(self) -> None:
        page = self.visitor.get(self.home)
        if any(form.action.endswith("/sync/") for form in forms(page)):
            self.visitor.submit(page, "/sync/")

    def try_request(self) -> None:
        page = self.visitor.get(f"{self.home}try/{self.first_list.operation}/fill/")
        self.visitor.submit(page, "/fill/")

    def reconnect(self) -> None:
        """Everything once more, as after a message that the access is gone."""
        for checkpoint in self.provider.checkpoints(self.auth_method.grant):
            self.visitor.prove()
            typed = {name: self.given[name] for name in checkpoint.fields if name in self.given}
            if typed:
                self.give(checkpoint, typed)
            if self.auth_method.login and self.auth_method.login in checkpoint.connect:
                self.sign_in_there(checkpoint)

    def leave(self) -> None:
        self.visitor.prove()
        page = self.visitor.get(f"{self.home}disconnect/")
        self.visitor.submit(page, "/disconnect/")
        self.quiet()
