"""The checklist as a page shows it: which checkpoint is current, whose turn it is, what each one says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import OuterRef, Subquery
from django.db.models.functions import JSONObject
from django.utils.translation import gettext_lazy as _

from connections.spec.checklist import Attestation, Checkpoint, Inference, MarkState, Probe
from connections.spec.provider import Provider
from connections.spec.text import Text
from connections.sync import faults
from connections.transport import faults as transport_faults
from connections.transport.oauth import authorization
from connections.vault.models import Connection
from portal.onboarding.marks import marks_of
from portal.onboarding.models import NOTHING_NEW, Evidence, Mark, Onboarding

SENTENCES = {
    "unreadable-answer": _("The provider's answer could not be read. We look into it; try again later."),
    "no-word-now": _(
        "%(provider)s could not answer this at the moment, so nothing has changed here. Check again later."
    ),
    "said-for-now": _("%(who)s told us that this is done. We see it ourselves as soon as “%(title)s” has passed."),
    "said-till-checked": _("%(who)s told us that this is done. We see it ourselves with the next check."),
    "server-changed": _("The server was changed, so what was proved at the old one counts no longer."),
    "sync-read-all": _("The last sync has read everything, so this is in order again."),
    "check-gave-up": _("The check could not be finished. Our staff can see it; try again later."),
}


_SILENT = _("%(provider)s does not answer at the moment, so nothing has changed here. Check again later.")
_TROUBLED = _("%(provider)s has trouble at the moment, so nothing has changed here. Check again later.")
_USED_UP = _(
    "The requests that %(provider)s allows us are used up for the moment, so nothing has changed here. Check again later."
)
# The same where the fault behind it is known, by its code.
NO_WORD = {
    "no-answer": _SILENT,
    "provider-trouble": _TROUBLED,
    "provider-in-trouble": _TROUBLED,
    "maintenance": _("%(provider)s is being maintained, so nothing has changed here. Check again later."),
    "quota": _USED_UP,
    "too-many-requests": _USED_UP,
}
WAIVERS = {
    "waived": _("%(who)s decided that this is not needed here: “%(reason)s”"),
    "waiver-ended": _("%(who)s decided that this is needed after all."),
}
# Of the newest evidence, what a step shows.
EVIDENCE_SHOWN = ("id", "state", "code", "values", "actor_name", "entry_id", "provider_request_id", "at")


@dataclass(frozen=True)
class ChecklistStep:
    """One checkpoint with its mark, ready to be shown."""

    number: int
    checkpoint: Checkpoint
    mark: Mark
    evidence: Evidence | None
    sentence: str
    is_current: bool
    is_locked: bool  # what it needs has not passed yet

    @property
    def is_done(self) -> bool:
        return self.state.passes

    @property
    def state(self) -> MarkState:
        return MarkState(self.mark.state)

    @property
    def is_pending(self) -> bool:
        """A check was asked for and has not answered yet."""
        asked_at, checked_at = self.mark.asked_at, self.mark.checked_at
        return asked_at is not None and (checked_at is None or checked_at < asked_at)

    @property
    def can_confirm(self) -> bool:
        """What is to be confirmed stands there."""
        is_found = self.evidence is not None and bool(self.evidence.values) and self.evidence.code not in NOTHING_NEW
        is_shown = is_found and not self.checkpoint.pins
        return self.state is MarkState.UNCONFIRMED and is_shown and not self.is_pending

    @property
    def obstacle(self) -> str:
        """Why the check that is under way has not been answered yet, where that is known."""
        is_known = self.evidence and self.mark.asked_at and self.evidence.at >= self.mark.asked_at
        return self.sentence if self.is_pending and is_known else ""

    @property
    def can_check(self) -> bool:
        return isinstance(self.checkpoint.proof, Probe) and not self.is_locked

    @property
    def can_attest(self) -> bool:
        if self.state is MarkState.FAILING and isinstance(self.checkpoint.proof, Probe):
            return False  # what a probe found failing, only a probe can clear
        return bool(self.checkpoint.attest) and self.state in (MarkState.OPEN, MarkState.FAILING)


@dataclass(frozen=True)
class Progress:
    """The whole checklist of one connection."""

    provider: Provider
    connection: Connection
    steps: list[ChecklistStep]

    @property
    def total(self) -> int:
        return len(self.steps)

    @property
    def passed(self) -> int:
        return sum(step.is_done for step in self.steps)

    @property
    def is_withdrawn(self) -> bool:
        """A release offers the connection's way no longer, so there is nothing left to walk."""
        return not self.provider.offers(self.connection.auth_method)

    @property
    def states(self) -> dict[str, MarkState]:
        """By checkpoint."""
        return {step.checkpoint.slug: step.state for step in self.steps}

    @property
    def current(self) -> ChecklistStep | None:
        return next((step for step in self.steps if step.is_current), None)

    @property
    def failing(self) -> list[ChecklistStep]:
        return [step for step in self.steps if step.state is MarkState.FAILING]

    @property
    def turn(self) -> Text:
        """Whose turn it is."""
        if self.is_withdrawn:
            return transport_faults.AUTH_METHOD_WITHDRAWN.customer_message
        if self.current is None:
            return _("Everything is done.")
        return _("Turn of: %(who)s") % {"who": self.current.checkpoint.who}


def progress(onboarding: Onboarding, provider: Provider) -> Progress:
    """One query, whatever the length. Needs the tenant's scope."""
    newest = Evidence.objects.filter(mark=OuterRef("id")).order_by("-at", "-id")
    columns = {name: name for name in EVIDENCE_SHOWN}
    failing = newest.filter(state=MarkState.FAILING).exclude(code__in=NOTHING_NEW)
    marks = marks_of(
        onboarding,
        newest_evidence=Subquery(newest.values(columns=JSONObject(**columns))[:1]),
        why_failing=Subquery(failing.values(columns=JSONObject(code="code", values="values"))[:1]),
    )
    declared = provider.checkpoints(onboarding.connection.auth_method)
    broken = [c for c in declared if marks[c.slug].state == MarkState.FAILING]
    undone = [c for c in declared if not MarkState(marks[c.slug].state).passes]
    current = next(iter([*broken, *undone]), None)
    steps = []
    for number, checkpoint in enumerate(declared, start=1):
        mark = marks[checkpoint.slug]
        evidence = _evidence(mark)
        steps.append(
            ChecklistStep(
                number=number,
                checkpoint=checkpoint,
                mark=mark,
                evidence=evidence,
                sentence=_said(provider, declared, checkpoint, evidence) if evidence else "",
                is_current=checkpoint is current,
                is_locked=any(not MarkState(marks[slug].state).is_proved for slug in checkpoint.needs),
            )
        )
    return Progress(provider, onboarding.connection, steps)


def _evidence(mark: Mark) -> Evidence | None:
    """The newest one, as it was fetched with the mark."""
    columns = getattr(mark, "newest_evidence", None)
    if columns is None:
        return None
    # JSON writes times and ids as text.
    fields: dict[str, Any] = {name: Evidence._meta.get_field(name) for name in EVIDENCE_SHOWN}
    values = {name: field.to_python(columns[name]) for name, field in fields.items()}
    return Evidence(tenant_id=mark.tenant_id, mark=mark, **values)


def _said(provider: Provider, declared: Sequence[Checkpoint], checkpoint: Checkpoint, evidence: Evidence) -> str:
    """The sentence of the newest evidence. What a person said for the time being names where we see it ourselves."""
    proof = checkpoint.proof
    why = getattr(evidence.mark, "why_failing", None)
    if evidence.state == MarkState.FAILING and evidence.code in NOTHING_NEW and why:
        return f"{sentence(provider, why['code'], why['values'])} {sentence(provider, evidence.code, evidence.values)}"
    if evidence.code != "said-so" or isinstance(proof, Attestation):
        return sentence(provider, evidence.code, evidence.values)
    follows = proof.follows if isinstance(proof, Inference) else checkpoint.needs[0] if checkpoint.needs else ""
    prover = next((each for each in declared if each.slug == follows), None)
    values = {**evidence.values, "title": prover.title if prover else ""}
    return str(SENTENCES["said-for-now" if prover else "said-till-checked"]) % values


def sentence(provider: Provider, code: str, values: dict[str, str]) -> str:
    """What a finding's or a fault's code says in the reader's language. An unknown code is shown as itself."""
    if code in provider.sentences:
        return str(provider.sentences[code]) % {name: provider.in_words(name, value) for name, value in values.items()}
    if code == "no-word-now":
        return str(NO_WORD.get(values.get("cause", ""), SENTENCES[code])) % {"provider": provider.name}
    if code in WAIVERS:
        return str(WAIVERS[code]) % values
    for ours in (SENTENCES, authorization.MESSAGES):
        if code in ours:
            return str(ours[code])
    fault = faults.resolve_fault(provider=provider.slug, code=code)
    return faults.customer_sentence(provider=provider.slug, fault=fault, values=values) if fault is not None else code
