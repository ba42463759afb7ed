"""A provider's onboarding as data: checkpoints in order, each with its page and its proof."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID

from connections.spec.operations import Arguments
from connections.spec.text import Text

TOKEN = "token"  # noqa: S105  (a token request, as `Checkpoint.asks` names it)
CERTIFICATES = "certificates"  # a look at what the servers show, before anything is sent


class MarkState(StrEnum):
    """The state of one checkpoint of one connection. The three that pass are three different things.

    What is only unconfirmed does not pass: we found something, and only a person can say whether it is the right thing.
    """

    OPEN = "open"
    UNCONFIRMED = "unconfirmed"  # we found something, and a person must say that it is right
    ATTESTED = "attested"  # a person said so
    INFERRED = "inferred"  # another proof implies it
    VERIFIED = "verified"  # we asked the provider
    FAILING = "failing"
    WAIVED = "waived"

    @property
    def passes(self) -> bool:
        """The checkpoint is done."""
        return self not in (MarkState.OPEN, MarkState.UNCONFIRMED, MarkState.FAILING)

    @property
    def is_proved(self) -> bool:
        """Checkpoints that need this one can be asked: more than a person's word proves it, or it is not needed."""
        return self in (MarkState.INFERRED, MarkState.VERIFIED, MarkState.WAIVED)


@dataclass(frozen=True)
class Finding:
    """What a probe concludes. `code` names a sentence of the provider; `values` fill its placeholders (never a secret).

    `proves_company`: what is stored opens the very company that the connection belongs to.
    """

    state: MarkState
    code: str
    values: Mapping[str, str] = field(default_factory=dict)
    proves_company: bool = False


@dataclass(frozen=True)
class SeenCertificate:
    """One host's certificate as it was just shown. `is_public`: signed by a public authority, so no pin is needed."""

    host: str  # host:port
    sha256: str  # AB:CD:...
    ends_at: datetime
    is_public: bool
    is_confirmed: bool
    is_changed: bool  # another one was confirmed before


@dataclass(frozen=True)
class ProbeAnswer:
    """One parsed answer, and where it stands in the request log."""

    body: Any
    entry_id: UUID
    provider_request_id: str = ""


class Asker(Protocol):
    """What a probe may do: ask the provider, and look at what we know of the connection."""

    company_id: str  # which it belongs to; '' before it is confirmed
    company_name: str  # as it was called when it was confirmed
    company_confirmed: bool  # a person has said that the company is the one they mean
    company_unproven: bool  # its credential or server was changed, and nothing is read until the company is proved
    auth_method: str  # the name of the grant in use
    settings: Mapping[str, str]  # what the customer typed that is no secret

    @property
    def streams_wanted(self) -> Sequence[str]:
        """Names of the streams that are read: rights are needed for these alone."""

    @property
    def confirmed(self) -> Mapping[str, str]:
        """The values that a person confirmed last at this checkpoint; empty where nobody has."""

    @property
    def seen(self) -> Mapping[str, str]:
        """The values of the newest finding that proved this checkpoint; empty before the first one."""

    @property
    def scope(self) -> str:
        """As granted; '' where the provider does not say, or before the first token."""

    def ask(self, operation: str, arguments: Arguments | None = None) -> ProbeAnswer:
        """Raises the errors of connections/spec/errors.py; the caller turns them into a finding."""

    def certificates(self) -> Sequence[SeenCertificate]:
        """What the connection's hosts show now, and whether a person has confirmed it. Raises CallFailed."""

    def count_known(self, stream: str, ids: Sequence[str]) -> tuple[int, int]:
        """How many records of this stream we hold, and how many of these ids are among them."""

    def fresh_token(self) -> None:
        """Ask for a new token now, so that what follows proves the stored credentials and not an old token."""

    def last_sync_succeeded(self) -> bool | None:
        """From our own log: True after a green run, False after one that is not, None when there is none yet."""


@dataclass(frozen=True)
class Probe:
    """We ask the provider; the function judges the answers."""

    run: Callable[[Asker], Finding]


@dataclass(frozen=True)
class LogProbe:
    """We ask our own log."""

    run: Callable[[Asker], Finding]


@dataclass(frozen=True)
class Inference:
    """When the checkpoint `follows` passes as verified, this one is implied."""

    follows: str
    code: str  # the sentence that says why


@dataclass(frozen=True)
class Attestation:
    """Only a person can say so."""

    code: str


Proof = Probe | LogProbe | Inference | Attestation


class Tells(StrEnum):
    """What a checkpoint's finding says of the access, for the statement of what is read and how."""

    USER = "user"  # as whom we sign in
    RIGHTS = "rights"  # what that user, or the session, may do


@dataclass(frozen=True)
class Checkpoint:
    """One item of the checklist. `where` is the menu path in the provider's own words."""

    slug: str
    title: Text
    line: Text
    why: Text
    proof: Proof
    who: Text
    where: Sequence[str] = ()
    how: Sequence[Text] = ()  # what to do there, in order
    avoid: Sequence[Text] = ()
    needs: Sequence[str] = ()  # checkpoints that must pass before this one can be proved
    attest: Text = ""  # what a person may state until (or because) we cannot ask
    fields: tuple[str, ...] = ()  # what is typed in here
    connect: tuple[str, ...] = ()  # the logins at the provider that can be started here, by name
    shows_client_id: bool = False  # our client id is to be pasted at the provider
    pins: bool = False  # certificates are shown and confirmed here
    confirm: Text = ""  # what a person must confirm once the probe has found it
    meant: Mapping[str, str] = field(default_factory=dict)  # what stands there afterwards: a finding's code to another
    auth_methods: tuple[str, ...] = ()  # only for connections with these grants; () is for all
    tells: Tells | None = None
    # Whether somebody without an account may do it by a link: never where the company, a server or a certificate is said.
    may_hand_off: bool = False
    # For our staff: the operations that its probe may ask, TOKEN and CERTIFICATES among them, and how it could be wrong.
    asks: tuple[str, ...] = ()
    false_answer: str = ""

    @property
    def opens(self) -> bool:
        """Whether the credential or the login of a session is given here: once it works again, so does the connection."""
        return bool(self.fields or self.connect)
