"""The faults that any provider's calls may have: no answer, nothing readable, a refused address, no credentials."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from connections.spec.faults import Fault, Responsible

NO_ANSWER = Fault(
    "no-answer",
    Responsible.NOBODY,
    _("The provider does not answer at the moment. We try again by ourselves."),
    "No answer: refused, cut, timed out or a TLS failure.",
)
UNREADABLE = Fault(
    "unreadable",
    Responsible.US,
    _("The provider sent an answer that we cannot read. Our staff can see it; you need not do anything."),
    "The answer is not the JSON that the provider's document promises, or is larger than the cap.",
)
BLOCKED = Fault(
    "blocked",
    Responsible.US,
    _("Our own network rules do not allow this address. Our staff can see it; you need not do anything."),
    "We refused the address ourselves: its scheme, its port, or an internal range.",
)
NO_REGISTRATION = Fault(
    "no-registration",
    Responsible.US,
    _("Our own registration at the provider is missing. Our staff can see it and must add it."),
    "No client registration is stored for this provider and environment.",
)
NO_CREDENTIAL = Fault(
    "no-credential",
    Responsible.CUSTOMER,
    _("Nothing to sign in with is stored yet. Enter it at its checkpoint."),
    "A credential that the grant needs is not stored.",
)
WRONG_USE = Fault(
    "wrong-use",
    Responsible.US,
    _("What is stored was not given for this, so it was not sent. Our staff can see it; you need not do anything."),
    "A secret was about to be used for something else than it was sealed for, or to be sent to another origin. Nothing left.",
)
NO_KEY = Fault(
    "no-key",
    Responsible.US,
    _("The stored credential cannot be opened at the moment. Our staff can see it; you need not do anything."),
    "The key that opens the credential is missing, or the ciphertext does not belong here.",
)
TROUBLE = Fault(
    "provider-in-trouble",
    Responsible.NOBODY,
    _("The provider is having trouble. We look again every half minute, and go on by ourselves."),
    "Our breaker is open: too many of the last requests got a server error or no answer. Nothing was sent.",
)
TURNED_AWAY = Fault(
    "turned-away",
    Responsible.NOBODY,
    _(
        "Our request was turned away without a reason that anybody could act on; a server on the way may have done it. If"
        " something was just entered for this connection, compare it once more. If it stays so for hours, ask the provider."
    ),
    "A refusal that is not in the protocol's words or the provider's own: a page, nothing at all, an error that blames"
    " neither a client nor a grant, or a call that is refused although the session is new. A proxy on the way may have said"
    " it. Asked again after a pause that grows.",
)
REFUSED_ONCE = Fault(
    "renewal-refused-once",
    Responsible.NOBODY,
    _("The provider refused to renew our access. We ask once more by ourselves, before we ask anything of you."),
    "The refresh token was refused for the first time (invalid_grant). It is sent once more after a minute; only a second"
    " refusal of the same one is the end of it.",
)
CODE_REFUSED = Fault(
    "code-refused",
    Responsible.CUSTOMER,
    _("The provider did not accept this sign-in: it took too long, or was used already. Start again."),
    "The authorization code was refused (invalid_grant): too old, used, or not given for this client and address.",
)
QUOTA = Fault(
    "quota",
    Responsible.NOBODY,
    _("The provider's allowance is used up for the moment. We go on by ourselves."),
    "Our limiter has no free place soon enough.",
)
REDIRECTED = Fault(
    "redirected",
    Responsible.US,
    _(
        "The provider sent us to another address, which we do not follow. Our staff can see it; you need not do anything."
    ),
    "An answer of 3xx: never followed. The request's page names the host that it leads to.",
)

NO_ADDRESS = Fault(
    "no-address",
    Responsible.CUSTOMER,
    _("Where the provider is has not been entered yet. Enter it at its checkpoint."),
    "A field with an address that this provider needs is empty.",
)
NO_SERVER = Fault(
    "no-server",
    Responsible.CUSTOMER,
    _(
        "Nothing that we may reach is found under this address. Check how it is written. If the server stands in your own"
        " network, ask our staff to allow it."
    ),
    "The name of a customer's own server is not known or could not be looked up, or it leads to an address that we"
    " refuse ourselves. Which of these is told to nobody: look the name up. An admin may allow a private network on the"
    " connection's page.",
)
NO_PROXY = Fault(
    "no-proxy",
    Responsible.US,
    _("Our own way out to the provider is broken at the moment. Our staff can see it; we go on once it is mended."),
    "The egress proxy (PORTAL_EGRESS_PROXY) does not answer, or says nothing that can be read. Nothing was sent.",
)
NO_GRANT = Fault(
    "no-grant",
    Responsible.CUSTOMER,
    _("This connection has not been allowed at the provider yet, or no longer. Connect it at its checkpoint."),
    "There is no refresh token: nobody has consented yet, or it was given back.",
)
OTHER_CLIENT = Fault(
    "other-client",
    Responsible.US,
    _(
        "Our registration at the provider was changed after you had connected. Our staff can see it; you need not do anything."
    ),
    "The refresh token is refused, and it was given to another client id than the one that is registered now: put that"
    " one back, or ask the customer to connect once more.",
)
UNTRUSTED = Fault(
    "untrusted",
    Responsible.PROVIDER,
    _(
        "The provider's certificate is not in order, so we do not talk to it. Our staff can see it; you need not do anything."
    ),
    "The TLS certificate is expired, for another name, or signed by nobody we trust.",
)
PIN_MISSING = Fault(
    "pin-missing",
    Responsible.CUSTOMER,
    _("Nobody has confirmed the provider's certificate yet. Compare it at its checkpoint."),
    "The host's certificate is signed by nobody we trust, and none was confirmed for it: nothing was sent.",
    "certificate",
)
PIN_BROKEN = Fault(
    "pin-broken",
    Responsible.CUSTOMER,
    _("The provider shows another certificate than the one you confirmed. Compare the new one at its checkpoint."),
    "The certificate is not the pinned one: nothing was sent. A person must compare the new one.",
    "certificate",
)
PIN_ENDED = Fault(
    "pin-ended",
    Responsible.PROVIDER,
    _(
        "The certificate that you confirmed has expired, so we send nothing. Ask the provider to renew it; then compare the"
        " new one."
    ),
    "The host still shows the pinned certificate, and its last day is over: nothing was sent.",
    "certificate",
)
NOT_ENCRYPTED = Fault(
    "not-encrypted",
    Responsible.PROVIDER,
    _(
        "The server answers without encryption at an address that begins with https, so we send nothing. Compare the address"
        " and its port, or ask whoever runs the server."
    ),
    "The TLS handshake was answered with something that is no TLS, most likely plain HTTP: a wrong port, or a server or"
    " proxy that lost its certificate. Nothing was sent.",
)
UNKNOWN_OUTCOME = Fault(
    "unknown-outcome",
    Responsible.NOBODY,
    _("The answer to this request was lost, so we cannot tell whether it was carried out."),
    "A write was sent and not answered: it is looked up where the provider allows it, else a person decides.",
)
OTHER_COMPANY = Fault(
    "other-company",
    Responsible.CUSTOMER,
    _(
        "What is stored opens another company than the one this connection belongs to, so it is not used. Give us access to"
        " the right company."
    ),
    "The newest credential opens another company: nothing is sent until one of the right company has been accepted.",
)
COMPANY_UNPROVEN = Fault(
    "company-unproven",
    Responsible.NOBODY,
    _("What opens this connection was changed. Until we know that it is still the same company, nothing is read."),
    "A new credential, login or server for a connection that stood: nothing is read until its company is proved, by the"
    " provider or, where it names none, by an owner.",
)
AUTH_METHOD_WITHDRAWN = Fault(
    "way-withdrawn",
    Responsible.CUSTOMER,
    _(
        "The way in which this was connected is no longer offered, so nothing is read with it any more. An owner of your"
        " company ends it on its page, and then you connect the system anew in another way; what was read before stays. Our"
        " staff can help."
    ),
    "A release has withdrawn the grant that this connection uses: nothing can be asked with it. Its owner disconnects it and"
    " sets it up anew; or the release before is put back, and it goes on by itself.",
)
# While one of these stands, nothing is read or sent.
COMPANY_FAULTS = frozenset({OTHER_COMPANY.code, COMPANY_UNPROVEN.code})

ALL = (
    OTHER_COMPANY,
    COMPANY_UNPROVEN,
    AUTH_METHOD_WITHDRAWN,
    NO_ADDRESS,
    NO_SERVER,
    NO_PROXY,
    NO_GRANT,
    OTHER_CLIENT,
    UNTRUSTED,
    PIN_MISSING,
    PIN_BROKEN,
    PIN_ENDED,
    NOT_ENCRYPTED,
    UNKNOWN_OUTCOME,
    NO_ANSWER,
    UNREADABLE,
    BLOCKED,
    NO_REGISTRATION,
    NO_CREDENTIAL,
    NO_KEY,
    WRONG_USE,
    TROUBLE,
    TURNED_AWAY,
    REFUSED_ONCE,
    CODE_REFUSED,
    QUOTA,
    REDIRECTED,
)


def find(code: str) -> Fault | None:
    """The fault of this list with that code; None for a code of a provider's own catalogue."""
    return next((fault for fault in ALL if fault.code == code), None)
