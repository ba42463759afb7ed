"""Plants conditions one after the other on one connection, and notes what the checklist makes of each.

What a condition changed is taken back on both sides: ours by a savepoint, the provider's by its copy of that moment.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from html import unescape
from typing import Any

from django.db import transaction
from django.db.models import F
from django.urls import reverse
from django.utils import timezone

from connections.calls.models import Call
from connections.jobs.models import Job, JobState
from connections.spec.checklist import Checkpoint, MarkState, Probe
from connections.sync import faults
from connections.sync.models import RunState, StreamProgress, SyncRun
from connections.transport.models import Breaker
from connections.vault.models import Credential, Grant
from connections.vault.services import ActionRefused
from portal.onboarding import marks
from portal.onboarding.models import Evidence, Mark
from portal.onboarding.progress import sentence
from tests.contract.conditions import CUSTOMER, US, Condition, setup_of
from tests.contract.customers import FEW, Customer

MENDED_BY = {"unreadable-answer": US, "access_denied": CUSTOMER}  # of words that are no fault's
ROUNDS = 4  # of a minute, until whatever was put off has been asked again
FINDING = re.compile(r'<div class="finding[^>]*>(.*?)(?:<div class="evidence">|</div>)', re.DOTALL)


@dataclass(frozen=True)
class Observation:
    """What was made of one condition. `reopened`: the checkpoints that were green and are not any more, with the codes of
    their findings; `green`: those that stayed. `code`, `sentence`: of the cause as it is told.
    """

    auth_method: str
    condition: Condition
    reopened: Mapping[str, str]
    green: tuple[str, ...]
    code: str
    responsible: str
    sentence: str
    page: str = field(default="", repr=False)  # what stands at the checkpoint beside the sentence: what to press
    noticed_by: str = ""
    is_broken: bool = False  # `sentence` is the error that ended it
    shows_secret: bool = False

    @property
    def complaints(self) -> list[str]:
        """What is not as the condition says it must be."""
        if self.is_broken:
            return [f"could not be looked at: {self.sentence}"]
        if self.shows_secret:
            return ["shows a secret"]
        expected, found = set(self.condition.reopens), set(self.reopened)
        wrong = [f"reopened {slug}" for slug in sorted(found - expected)]
        wrong += [f"false green {slug}" for slug in sorted(expected - found)]
        if self.condition.blind or not self.condition.codes:
            return wrong + ([f"said {self.code}"] if self.code else [])
        if self.code not in self.condition.codes:
            wrong.append(f"said {self.code or 'nothing'} instead of {' or '.join(self.condition.codes)}")
        if self.condition.responsible and self.responsible not in ("", self.condition.responsible):
            wrong.append(f"said to be mended by {self.responsible}")
        if self.condition.thing and self.condition.thing not in self.sentence:
            wrong.append(f"does not name {self.condition.thing!r}")
        return wrong

    @property
    def verdict(self) -> str:
        if self.complaints:
            return "WRONG: " + "; ".join(self.complaints)
        if self.condition.blind:
            return "no proof can tell"
        if self.condition.alike:
            return f"unknown: the same as {self.condition.alike}"
        return "right"


class Observer:
    """One customer in one way; conditions are planted on its connection, before anything is typed in or when it is live."""

    def __init__(self, customer: Customer, browser: Any) -> None:
        self.customer, self._browser = customer, browser
        self.is_live = False
        customer.order = setup_of(customer.auth_method.slug)
        customer.set_up()
        for stream in customer.provider.streams:
            if stream.each is None:
                customer.hold(stream.name, FEW)  # what is read matters here, and not how much of it
        customer.simulator.control("keep", {})

    def go_live(self) -> None:
        """The whole checklist, as a person walks it."""
        states = self.customer.walk(is_set_up=True)
        assert all(MarkState(state).passes for state in states.values()), states
        self.is_live = True
        # Some minutes later: what came with a consent is not renewed for a minute.
        mine, minutes = {"connection": self.customer.connection}, timedelta(minutes=9)
        Grant.objects.filter(**mine).update(issued_at=F("issued_at") - minutes)
        Credential.objects.filter(**mine).update(changed_at=F("changed_at") - minutes)
        self.customer.simulator.control("keep", {})

    def observe(self, condition: Condition) -> Observation:
        """An error while it is planted or looked at is an observation, too: a wrong one."""
        try:
            return self._observe(condition)
        except Exception as error:  # the others go on
            return Observation(str(self.customer.auth_method), condition, {}, (), "", "", repr(error), is_broken=True)

    def _observe(self, condition: Condition) -> Observation:
        with self._taken_back(lasts=condition.lasts):
            since, before = timezone.now(), self._states()
            condition.plant(self.customer)
            if condition.is_login:
                self._settle()
            elif condition.is_before:
                self._walk_on()
            else:
                self._check_all()
            noticed_by = "request" if self._request(since) else "check"
            if self.is_live and not self._reopened(before) and not self._trouble(since)[0]:
                noticed_by = "sync"
                if not self._sync():
                    self._check_all()
            return self._observation(condition, before, since, noticed_by)

    @contextmanager
    def _taken_back(self, *, lasts: bool) -> Iterator[None]:
        given, deadlines = dict(self.customer.given), self.customer.provider.deadlines
        savepoint = transaction.savepoint()
        try:
            yield
        finally:
            object.__setattr__(self.customer.provider, "deadlines", deadlines)
            transaction.savepoint_rollback(savepoint)
            self.customer.given = given
            self.customer.simulator.control("bring-back", {})
            self.customer.connection.refresh_from_db()

    # -- what a condition is noticed by ------------------------------------------------------------------------------

    @property
    def _checkpoints(self) -> list[Checkpoint]:
        return self.customer.provider.checkpoints(self.customer.auth_method.grant)

    def _check_all(self) -> None:
        """Every checkpoint that can be asked, in the order of the list."""
        with self.customer.here():
            for checkpoint in self._checkpoints:
                if isinstance(checkpoint.proof, Probe):
                    marks.ask_check(mark=self.customer.mark(checkpoint))
        self._settle()

    def _walk_on(self) -> None:
        """As a person would who does not know of the condition, as far as it goes."""
        for checkpoint in self._checkpoints:
            try:
                self.customer.pass_(checkpoint)
            except AssertionError:  # the login came to nothing
                return
            self._settle()

    def _sync(self) -> bool:
        """Whether everything was read."""
        try:
            run = self.customer.sync()
        except ActionRefused:  # reading is held
            return False
        self._settle()
        run.refresh_from_db()
        return run.state == RunState.SUCCEEDED

    def _settle(self) -> None:
        """What was put off for a while is asked again, until all is said or it goes on for too long."""
        for _ in range(ROUNDS):
            self.customer.work_off()
            mine = Job.objects.filter(tenant=self.customer.tenant, state=JobState.QUEUED)
            put_off = mine.filter(
                kind__in=(marks.CHECK, "sync.run"), due_at__lt=timezone.now() + timedelta(minutes=30)
            )
            if not put_off.exists():
                return
            minute = timedelta(seconds=61)
            Breaker.objects.all().delete()
            self.customer.a_minute_later()
            put_off.update(due_at=F("due_at") - minute)
            Mark.objects.filter(tenant=self.customer.tenant).update(asked_at=F("asked_at") - minute)

    # -- what came of it ---------------------------------------------------------------------------------------------

    def _states(self) -> dict[str, MarkState]:
        rows = Mark.objects.filter(onboarding=self.customer.onboarding).values_list("checkpoint", "state")
        return {slug: MarkState(state) for slug, state in rows}

    def _reopened(self, before: Mapping[str, MarkState]) -> list[str]:
        """In the order of the list. Before anything has worked, what fails; later, what does not pass any more."""
        now = self._states()
        is_open: Callable[[str], bool] = lambda slug: (  # noqa: E731
            before[slug].passes and not now[slug].passes if self.is_live else now[slug] is MarkState.FAILING
        )
        return [each.slug for each in self._checkpoints if is_open(each.slug)]

    def _observation(
        self, condition: Condition, before: Mapping[str, MarkState], since: Any, noticed_by: str
    ) -> Observation:
        reopened = self._reopened(before)
        now = self._states()
        newest = {slug: self._newest(slug) for slug in now}
        code, values, at = "", {}, ""
        for slug in reopened:
            evidence = newest[slug]
            if evidence is not None and not code:
                code, values, at = evidence.code, evidence.values, slug
        if not code:
            code, values, at = self._trouble(since)
        if not code:
            noticed_by = ""
        said = sentence(self.customer.provider, code, values) if code else ""
        # What could not be answered at the moment says why.
        code = values.get("cause", code)
        fault = faults.resolve_fault(provider=self.customer.auth_method.slug, code=code)
        page = self._page(at) if at else ""
        return Observation(
            auth_method=str(self.customer.auth_method),
            condition=condition,
            reopened={slug: newest[slug].code for slug in reopened if newest[slug] is not None},  # type: ignore[union-attr]
            green=tuple(slug for slug, state in now.items() if state.passes),
            code=code,
            responsible=fault.responsible if fault else CUSTOMER if reopened else MENDED_BY.get(code, ""),
            sentence=said,
            page=page,
            shows_secret=any(secret in said + page for secret in self.customer.secrets),
            noticed_by=noticed_by,
        )

    def _newest(self, slug: str) -> Evidence | None:
        rows = Evidence.objects.filter(mark__onboarding=self.customer.onboarding, mark__checkpoint=slug)
        return rows.order_by("at", "id").last()

    def _request(self, since: Any) -> str:
        """The fault of a request that somebody tried by hand."""
        mine = Call.objects.filter(connection=self.customer.connection, asked_at__gte=since).exclude(fault="")
        return mine.values_list("fault", flat=True).first() or ""

    def _trouble(self, since: Any) -> tuple[str, dict[str, str], str]:
        """Of trouble that reopens nothing: what a request or a run says of it, else what the first check says that was not
        answered.
        """
        if fault := self._request(since):
            return fault, {}, ""
        run = SyncRun.objects.filter(connection=self.customer.connection, queued_at__gte=since).last()
        if run is not None and run.state != RunState.SUCCEEDED:
            rows = StreamProgress.objects.filter(run=run).exclude(fault="").order_by("order")
            stream = rows.values_list("fault", "stream").first()
            if run.fault or stream:
                return (run.fault or stream[0], {"streams": stream[1]} if stream else {}, "")  # type: ignore[index]
        for slug in (each.slug for each in self._checkpoints):
            evidence = self._newest(slug)
            if evidence is not None and evidence.at >= since and self._is_trouble(evidence):
                return evidence.code, evidence.values, slug
        return "", {}, ""

    def _is_trouble(self, evidence: Evidence) -> bool:
        is_fault = faults.resolve_fault(provider=self.customer.auth_method.slug, code=evidence.code) is not None
        return is_fault or evidence.code in ("no-word-now", "unreadable-answer", "access_denied", "not-traded")

    def _page(self, slug: str) -> str:
        """What the customer reads in the finding at this checkpoint, without marks."""
        address = reverse("checkpoint", args=[self.customer.tenant.slug, self.customer.connection.id, slug])
        answer = self._browser.get(address)
        found = FINDING.search(answer.content.decode())
        text = re.sub(r"<[^>]+>", " ", found.group(1)) if found else f"({answer.status_code})"
        return " ".join(unescape(text).split())
