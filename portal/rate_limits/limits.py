"""Every limit of the portal's own, in one table: how often, by whom, within how long, and the sentence when it is reached.

A limit without a rate for `Scope.PORTAL` cannot be used up for everybody by one; one with it bounds what the whole portal
sends to the world. Those of signing in have none on purpose: whoever floods them would lock everybody out.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from django.utils.translation import gettext_lazy as _

from connections.spec.text import Text

MINUTE, HOUR, DAY = 60, 3600, 24 * 3600


class Scope(Enum):
    """Whose uses are counted together."""

    PERSON = "person"
    TENANT = "tenant"
    CONNECTION = "connection"
    RECIPIENT = "recipient"  # the mail address that something goes to, or that somebody signs in with
    CLIENT = "client"  # the network address that a request came from
    CLIENT_AND_RECIPIENT = "client-recipient"
    CLIENT_AND_PERSON = "client-person"
    TENANT_AND_RECIPIENT = "tenant-recipient"
    BROWSER = "browser"  # one that the person has signed in with before
    PORTAL = "house"  # everybody together; the value stands in stored rows


@dataclass(frozen=True)
class Rate:
    """At most `most` uses within `seconds` of the first one."""

    scope: Scope
    most: int
    seconds: int


@dataclass(frozen=True)
class Limit:
    """All its rates hold at once. `sentence` says what is not possible for now."""

    name: str
    sentence: Text
    rates: tuple[Rate, ...]


def _limit(name: str, sentence: Text, *rates: tuple[Scope, int, int]) -> Limit:
    return Limit(name, sentence, tuple(Rate(*rate) for rate in rates))


# -- everybody: any form, above the limits of what it does ---------------------------------------------------------------

FORM = _limit("form", _("Too many forms were sent in a short time."), (Scope.PERSON, 3000, HOUR))
ANONYMOUS_FORM = _limit(
    "anonymous-form", _("Too many forms were sent in a short time."), (Scope.CLIENT, 300, 10 * MINUTE)
)

# -- signing in ------------------------------------------------------------------------------------------------------------

SIGN_IN = _limit(
    "sign-in",
    _("Too many tries to sign in went wrong."),
    (Scope.CLIENT_AND_RECIPIENT, 5, 5 * MINUTE),
    (Scope.CLIENT, 30, 10 * MINUTE),
    (Scope.RECIPIENT, 20, HOUR),
)
# Somebody else's wrong tries do not count here: the person's own browser stays a way in.
SIGN_IN_KNOWN_BROWSER = _limit(
    "sign-in-known-browser", _("Too many tries to sign in went wrong."), (Scope.BROWSER, 10, 5 * MINUTE)
)
SIGN_IN_CODE = _limit(
    "sign-in-code",
    _("Too many codes were wrong."),
    (Scope.CLIENT_AND_PERSON, 5, 5 * MINUTE),
    (Scope.PERSON, 20, HOUR),
)
SIGN_IN_CODE_KNOWN_BROWSER = _limit(
    "sign-in-code-known-browser", _("Too many codes were wrong."), (Scope.BROWSER, 5, 5 * MINUTE)
)
PASSWORD_RESET = _limit(
    "password-reset",
    _("No more mails to set a password can be sent for now."),
    (Scope.RECIPIENT, 5, HOUR),
    (Scope.CLIENT, 20, HOUR),
    (Scope.PORTAL, 1000, HOUR),
)
ACCOUNT_CHANGE = _limit(
    "account-change", _("Your sign-in was changed too often in a short time."), (Scope.PERSON, 60, HOUR)
)
ADDRESS_CHANGE = _limit(
    "address-change",
    _("No more mails to confirm an address can be sent for now."),
    (Scope.RECIPIENT, 5, HOUR),
    (Scope.PERSON, 20, HOUR),
    (Scope.PORTAL, 500, HOUR),
)
UNSUBSCRIPTION = _limit(
    "unsubscription", _("Too many mails were stopped from this network."), (Scope.CLIENT, 120, 10 * MINUTE)
)
NEW_PERSON = _limit(
    "new-person", _("Too many invitations were answered from this network."), (Scope.CLIENT, 60, 10 * MINUTE)
)

# -- mail ----------------------------------------------------------------------------------------------------------------

# Warnings about somebody's own sign-in, with a budget that no other mail touches.
SECURITY_MAIL = _limit("security-mail", _("No more warnings can be sent for now."), (Scope.RECIPIENT, 60, HOUR))
# What allauth sends when somebody asked for it, whichever page they asked on.
ACCOUNT_MAIL = _limit(
    "account-mail",
    _("No more mails can be sent to this address for now."),
    (Scope.RECIPIENT, 10, HOUR),
    (Scope.CLIENT, 40, HOUR),
    (Scope.PORTAL, 2000, HOUR),
)
INVITATION = _limit(
    "invitation",
    _("No more invitations can be sent for now."),
    (Scope.TENANT_AND_RECIPIENT, 5, DAY),
    (Scope.RECIPIENT, 20, DAY),  # one company alone cannot keep another from inviting somebody
    (Scope.PERSON, 60, HOUR),
    (Scope.TENANT, 100, HOUR),
    (Scope.PORTAL, 1000, HOUR),
)

# -- rows and calls ------------------------------------------------------------------------------------------------------

TEAM_CHANGE = _limit("team-change", _("The team was changed too often in a short time."), (Scope.PERSON, 120, HOUR))
NEW_CONNECTION = _limit(
    "new-connection",
    _("No more connections can be opened for now."),
    (Scope.PERSON, 120, HOUR),
    (Scope.TENANT, 200, HOUR),
    (Scope.PORTAL, 3000, HOUR),
)
ACTIVATION = _limit(
    "activation",
    _("No more requests to connect several companies can be taken up for now."),
    (Scope.PERSON, 10, HOUR),
    (Scope.TENANT, 20, HOUR),
    (Scope.PORTAL, 200, HOUR),
)
ACTIVATION_DECISION = _limit(
    "activation-decision", _("Too many decisions were sent in a short time."), (Scope.PERSON, 30, HOUR)
)
# A mail to an address that a stranger may have named at the provider.
CONSENT_MAIL = _limit(
    "consent-mail",
    _("No more mails to confirm a choice of companies can be sent for now."),
    (Scope.PERSON, 60, HOUR),  # presses; of each request a mail leaves every two minutes at most
    (Scope.TENANT, 120, HOUR),
    (Scope.PORTAL, 1000, HOUR),
)
CONSENT_ANSWER = _limit(
    "consent-answer",
    _("Too many answers were sent from this network in a short time."),
    (Scope.CLIENT, 60, 10 * MINUTE),
)
# A mail to somebody who may have no account here.
HANDOFF = _limit(
    "handoff",
    _("No more steps can be given to somebody else for now."),
    (Scope.TENANT_AND_RECIPIENT, 20, DAY),
    (Scope.RECIPIENT, 60, DAY),
    (Scope.PERSON, 60, HOUR),
    (Scope.TENANT, 120, HOUR),
    (Scope.PORTAL, 1000, HOUR),
)
HANDOFF_USE = _limit(
    "handoff-use",
    _("Too much was sent from this network in a short time."),
    (Scope.CLIENT, 120, 10 * MINUTE),
)
CHECK = _limit(
    "check",
    _("This was checked too often in a short time."),
    (Scope.CONNECTION, 40, 10 * MINUTE),
    (Scope.PERSON, 1500, HOUR),
    (Scope.TENANT, 3000, HOUR),
)
CHECKLIST_STEP = _limit(
    "checklist-step",
    _("Too much was confirmed or typed in here in a short time."),
    (Scope.CONNECTION, 60, 10 * MINUTE),
    (Scope.PERSON, 1500, HOUR),
)
# Every owner gets a mail for it.
SERVER_MOVE = _limit(
    "server-move",
    _("Servers were moved too often in a short time."),
    (Scope.CONNECTION, 10, HOUR),
    (Scope.TENANT, 60, HOUR),
)
LOGIN_BEGUN = _limit(
    "login-begun",
    _("The provider's login page was asked for too often."),
    (Scope.CONNECTION, 20, 10 * MINUTE),
    (Scope.PERSON, 300, HOUR),
)
SYNC = _limit(
    "sync",
    _("This was synced by hand too often in a short time."),
    (Scope.CONNECTION, 20, HOUR),
    (Scope.PERSON, 300, HOUR),
    (Scope.TENANT, 600, HOUR),
)
CONNECTION_SETTING = _limit(
    "connection-setting",
    _("Settings were changed too often in a short time."),
    (Scope.CONNECTION, 60, HOUR),
    (Scope.PERSON, 600, HOUR),
)
CALL = _limit(
    "call",
    _("Too many requests were tried in a short time."),
    (Scope.CONNECTION, 120, HOUR),
    (Scope.PERSON, 300, HOUR),
    (Scope.TENANT, 600, HOUR),
)
RECORDING = _limit(
    "recording",
    _("Recording was started or ended too often in a short time."),
    (Scope.CONNECTION, 30, HOUR),
    (Scope.PERSON, 120, HOUR),
)
EXPORT = _limit(
    "export",
    _("Exports were asked for or ended too often in a short time."),
    (Scope.PERSON, 60, HOUR),
    (Scope.TENANT, 120, HOUR),
)
DOWNLOAD = _limit(
    "download",
    _("Too many files were downloaded in a short time."),
    (Scope.PERSON, 300, HOUR),
    (Scope.TENANT, 600, HOUR),
)
PROFILE = _limit("profile", _("Your page was changed too often in a short time."), (Scope.PERSON, 60, HOUR))
STAFF_ACTION = _limit(
    "staff-action", _("Too much was changed on staff pages in a short time."), (Scope.PERSON, 600, HOUR)
)

ALL: tuple[Limit, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Limit))
