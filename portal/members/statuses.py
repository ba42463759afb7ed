"""How every status is shown, to customers and to staff: its word, its icon and its colour.

A status of a row is named by its field, such as "sync.SyncRun.state"; what pages work out themselves has a name of its own.
The colour says what a person should do. How it looks says each site's style sheet: `.mark-bad`, `.status-bad` (states.css) and
`.badge-bad` (admin_parts.css).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from django.apps import apps
from django.db.models import Model
from django.utils.translation import gettext_lazy as _

from connections.calls.models import CallState
from connections.exports.models import ExportState
from connections.jobs.models import JobState
from connections.spec.checklist import MarkState
from connections.spec.text import Text
from connections.sync.models import Level, ProgressState, RunState, SlotOutcome
from connections.tenancy.models import TenantState
from connections.transport.models import ActivationState, AttemptState, DeathProof, LastProbe, Outcome
from connections.vault.models import ConnectionState, Leaving
from portal.members.mailing import Delivery


class Colour(StrEnum):
    GOOD = "good"  # as it should be
    BUSY = "busy"  # goes on by itself, now
    WAITING = "waiting"  # goes on by itself, later
    QUIET = "quiet"  # neither good nor bad
    WARN = "warn"  # waits for a person
    BAD = "bad"  # broken
    # Marks that pass are three different things, and one that does not pass yet is no trouble.
    ATTESTED = "attested"
    INFERRED = "inferred"
    UNCONFIRMED = "unconfirmed"


TURNING = "loader-circle"  # the icon that customers see turn


@dataclass(frozen=True)
class Status:
    """`word` is empty in the table below where the label of the field's choice says it. `icon`: a name of Lucide's."""

    colour: Colour
    icon: str
    word: Text = ""
    meaning: Text = ""

    @property
    def turns(self) -> bool:
        return self.icon == TURNING


GOOD = Status(Colour.GOOD, "circle-check")
BUSY = Status(Colour.BUSY, TURNING)
QUEUED = Status(Colour.BUSY, "clock")
REFUSED = Status(Colour.BAD, "circle-x")
MARKS: dict[str, Status] = {
    MarkState.OPEN: Status(Colour.QUIET, "circle-dashed", _("Open"), _("Nobody has said or shown that it is done.")),
    MarkState.UNCONFIRMED: Status(
        Colour.UNCONFIRMED,
        "circle-question-mark",
        _("Unconfirmed"),
        _("We found it; a person must say that it is meant."),
    ),
    MarkState.ATTESTED: Status(
        Colour.ATTESTED, "user-round-check", _("Attested"), _("A person said that it is done.")
    ),
    MarkState.INFERRED: Status(
        Colour.INFERRED, "link-2", _("Inferred"), _("Something else that we checked implies it.")
    ),
    MarkState.VERIFIED: Status(Colour.GOOD, "badge-check", _("Verified"), _("We asked, and it is so.")),
    MarkState.FAILING: Status(Colour.BAD, "circle-alert", _("Failing"), _("We asked, and it is not so.")),
    MarkState.WAIVED: Status(
        Colour.QUIET, "circle-minus", _("Waived"), _("An owner decided that it is not needed, and said why.")
    ),
}

STATUSES: dict[str, Mapping[str, Status]] = {
    "tenancy.Tenant.state": {
        TenantState.FOUNDED: BUSY,
        TenantState.ACTIVE: GOOD,
        TenantState.SUSPENDED: Status(Colour.WARN, "ban"),
    },
    "vault.Connection.state": {
        ConnectionState.SETUP: Status(Colour.BUSY, "list-checks"),
        ConnectionState.CONNECTED: GOOD,
        ConnectionState.BROKEN: Status(Colour.BAD, "circle-alert"),
        ConnectionState.PAUSED: Status(Colour.WARN, "circle-pause"),
        ConnectionState.DISCONNECTED: Status(Colour.QUIET, "unplug"),
    },
    "vault.Connection.leaving": {
        Leaving.UNDER_WAY: BUSY,
        Leaving.REVOKED: GOOD,
        Leaving.NOT_OFFERED: Status(Colour.QUIET, "minus"),
        Leaving.FAILED: Status(Colour.BAD, "circle-alert"),
        Leaving.NOTHING: Status(Colour.QUIET, "minus"),
    },
    "transport.Departure.last_probe": {
        LastProbe.DEAD: GOOD,
        LastProbe.LIVES: Status(Colour.WARN, "triangle-alert"),
        LastProbe.UNCLEAR: Status(Colour.WARN, "circle-question-mark"),
    },
    "transport.Departure.proof": {
        DeathProof.PROVED: GOOD,
        DeathProof.NOT_PROVED: Status(Colour.WARN, "circle-question-mark"),
        DeathProof.NOTHING: Status(Colour.QUIET, "minus"),
    },
    "onboarding.Mark.state": MARKS,
    "onboarding.Evidence.state": MARKS,
    "sync.SyncRun.state": {
        RunState.QUEUED: BUSY,
        RunState.RUNNING: BUSY,
        RunState.WAITING: Status(Colour.WAITING, "hourglass"),
        RunState.PAUSED: Status(Colour.WARN, "circle-pause"),
        RunState.SUCCEEDED: GOOD,
        RunState.INCOMPLETE: Status(Colour.WARN, "circle-alert"),
        RunState.FAILED: Status(Colour.BAD, "circle-alert"),
        RunState.CANCELLED: Status(Colour.QUIET, "circle-slash"),
    },
    "sync.ScheduleSlot.outcome": {
        SlotOutcome.STARTED: GOOD,
        SlotOutcome.JOINED: Status(Colour.QUIET, "circle-minus"),
        SlotOutcome.MISSED: Status(Colour.WARN, "triangle-alert"),
        SlotOutcome.HELD: Status(Colour.WARN, "circle-pause"),
    },
    "sync.StreamProgress.state": {
        ProgressState.PENDING: Status(Colour.QUIET, "circle-dashed"),
        ProgressState.READING: BUSY,
        ProgressState.DONE: GOOD,
        ProgressState.REFUSED: REFUSED,
        ProgressState.FAILED: REFUSED,
    },
    "sync.RunLogLine.level": {
        Level.INFO: Status(Colour.QUIET, "info"),
        Level.WARNING: Status(Colour.WARN, "triangle-alert"),
        Level.ERROR: Status(Colour.BAD, "circle-x"),
    },
    "calls.Call.state": {
        CallState.QUEUED: BUSY,
        CallState.SENT: BUSY,
        CallState.WAITING: BUSY,
        CallState.UNKNOWN: Status(Colour.WARN, "circle-question-mark"),
        CallState.ANSWERED: GOOD,
        CallState.REFUSED: Status(Colour.BAD, "circle-alert"),
        CallState.FAILED: Status(Colour.BAD, "circle-alert"),
        CallState.SETTLED_DONE: Status(Colour.ATTESTED, "user-round-check"),
        CallState.SETTLED_NOT_DONE: Status(Colour.QUIET, "circle-slash"),
    },
    "exports.Export.state": {
        ExportState.QUEUED: QUEUED,
        ExportState.RUNNING: BUSY,
        ExportState.DONE: GOOD,
        ExportState.FAILED: Status(Colour.BAD, "circle-alert"),
        ExportState.CANCELLED: Status(Colour.QUIET, "circle-slash"),
        ExportState.DELETED: Status(Colour.QUIET, "trash-2"),
    },
    "certification.CertificationReport.state": {"asked": QUEUED, "computed": GOOD, "failed": REFUSED},
    "transport.RequestLogEntry.outcome": {
        Outcome.ANSWERED: GOOD,
        Outcome.REFUSED: REFUSED,
        Outcome.TROUBLED: Status(Colour.BAD, "cloud-alert"),
        Outcome.UNREACHABLE: Status(Colour.BAD, "cloud-off"),
        Outcome.UNREADABLE: Status(Colour.BAD, "file-question-mark"),
        Outcome.BLOCKED: Status(Colour.BAD, "shield-x"),
    },
    "transport.AuthorizationAttempt.state": {
        AttemptState.STARTED: Status(Colour.QUIET, "clock"),
        AttemptState.RECEIVED: BUSY,
        AttemptState.EXCHANGED: GOOD,
        AttemptState.DENIED: Status(Colour.QUIET, "circle-minus"),
        AttemptState.FAILED: REFUSED,
    },
    "transport.ActivationRequest.state": {
        ActivationState.ASKED: BUSY,
        ActivationState.SHOWN: Status(Colour.WARN, "circle-question-mark"),
        ActivationState.DECIDING: BUSY,
        ActivationState.DECIDED: GOOD,
        ActivationState.EXPIRED: Status(Colour.QUIET, "circle-minus"),
        ActivationState.FAILED: REFUSED,
    },
    "jobs.Job.state": {
        JobState.QUEUED: QUEUED,
        JobState.RUNNING: BUSY,
        JobState.SUCCEEDED: GOOD,
        JobState.PARKED: REFUSED,
        JobState.CANCELLED: Status(Colour.QUIET, "circle-minus"),
    },
    # By their values: portal/notices, which defines them, lies in a higher layer and cannot be imported here.
    "notices.OutgoingMail.state": {"queued": QUEUED, "sent": GOOD, "refused": REFUSED, "failed": REFUSED},
    "incidents.Notice.outcome": {"mailed": GOOD, "refused": Status(Colour.QUIET, "circle-minus"), "overtaken": GOOD},
    "support.ActionItem.state": {
        "waiting": QUEUED,
        "done": GOOD,
        "needless": Status(Colour.QUIET, "circle-minus"),
        "refused": REFUSED,
    },
    # -- what pages work out themselves --------------------------------------------------------------------------------
    "delivery": {
        Delivery.ON_ITS_WAY: QUEUED,
        Delivery.SENT: GOOD,
        Delivery.DELAYED: Status(Colour.BAD, "circle-alert"),
        Delivery.REFUSED: Status(Colour.BAD, "circle-alert"),
        Delivery.FAILED: Status(Colour.BAD, "circle-alert"),
    },
    # A connection in one sentence (portal.dashboard.summaries.ConnectionStatus); components/status.html has the sentences.
    "connection": {
        "setup": Status(Colour.BUSY, "list-checks"),
        "broken": Status(Colour.BAD, "circle-alert"),
        "reading": BUSY,
        "waiting": Status(Colour.WAITING, "hourglass"),
        "current": GOOD,
        "reopened": Status(Colour.BAD, "circle-alert"),
        "incomplete": Status(Colour.BAD, "circle-alert"),
        "failed": Status(Colour.WAITING, "triangle-alert"),  # the next one on schedule may do
        "idle": Status(Colour.QUIET, "circle-dashed"),
        "paused": Status(Colour.QUIET, "circle-pause"),
        "withdrawn": Status(Colour.BAD, "circle-alert"),
        "disconnected": Status(Colour.QUIET, "unplug"),
    },
    "health": {
        "right": Status(Colour.GOOD, "circle-check", _("works")),
        "wrong": Status(Colour.BAD, "circle-alert", _("does not work")),
        "unjudged": Status(Colour.QUIET, "info", _("to know")),
    },
    "check": {
        "busy": Status(Colour.BUSY, TURNING, _("Checking"), _("We are asking; the answer appears here.")),
    },
    # Of secrets and grants, whose values nobody sees. That one is stored does not say that it works.
    "secret": {
        "stored": Status(Colour.QUIET, "lock", _("stored")),
        "refused": Status(Colour.BAD, "circle-x", _("stored, and refused by the provider")),
        "missing": Status(Colour.WARN, "circle-alert", _("not given yet")),
        "absent": Status(Colour.QUIET, "minus", _("none, and none is needed")),
    },
    "certification_line": {
        "kept": Status(Colour.GOOD, "circle-check", _("kept")),
        "short": Status(Colour.BAD, "circle-alert", _("falls short")),
        "nothing": Status(Colour.QUIET, "minus", _("nothing to measure")),
    },
    "registration_secret": {
        "stored": Status(Colour.QUIET, "lock", _("stored")),
        "missing": Status(Colour.WARN, "circle-alert", _("not set")),
        "absent": Status(Colour.QUIET, "minus", _("not set, and not needed")),
    },
    "grant": {"none": Status(Colour.QUIET, "minus", _("none yet"))},
    "pin": {"unconfirmed": Status(Colour.WARN, "circle-question-mark", _("waits for the customer"))},
    "sign_in": {
        "on": Status(Colour.GOOD, "circle-check", _("on")),
        "off": Status(Colour.QUIET, "ban", _("off")),
    },
    "second_factor": {
        "set-up": Status(Colour.GOOD, "circle-check", _("set up")),
        "missing": Status(Colour.WARN, "circle-alert", _("not set up: the staff pages stay closed")),
        "absent": Status(Colour.QUIET, "minus", _("not set up")),
    },
}


def status(of: str, value: str) -> Status:
    """How this value of a field, or of what a page works out, is shown. Raises KeyError for one that is not in the table."""
    entry = STATUSES[of][value]
    return entry if entry.word else replace(entry, word=_label(of, value))


def status_of(row: Model, field: str = "state") -> Status:
    """How the status of a row is shown. Raises KeyError for a field or value that is not in the table."""
    return status(f"{row._meta.label}.{field}", getattr(row, field))


def _label(of: str, value: str) -> Text:
    """The label of the field's choice; empty where the name is none of a field."""
    if of.count(".") != 2:
        return ""
    model, _dot, field = of.rpartition(".")
    choices: dict[str, Text] = dict(apps.get_model(model)._meta.get_field(field).flatchoices)
    return choices[value]
