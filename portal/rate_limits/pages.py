"""Which limit a page uses: said by a decorator on our own, by a table of names for allauth's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from allauth.core.internal.ratelimit import get_ip
from django.http import HttpRequest, HttpResponse

from portal.rate_limits import limits
from portal.rate_limits.limits import Limit, Scope
from portal.rate_limits.spending import Spent, of_connection, spend

SAFE_METHODS = ("GET", "HEAD", "OPTIONS", "TRACE")

View = Callable[..., HttpResponse]


def spend_by(request: HttpRequest, limit: Limit, *, connection: object = None, recipient: str = "") -> Spent:
    """One use by whoever asks: the person, the tenant they act for, the network they come from. Raises RateLimited.

    `connection`: its id in the address, whether there is one or not.
    """
    tenant = getattr(request, "tenant", None)
    subjects: dict[Scope, object] = {Scope.RECIPIENT: recipient.strip()}
    if request.user.is_authenticated:
        subjects[Scope.PERSON] = request.user.pk
    if tenant is not None:
        subjects[Scope.TENANT] = tenant.id
        subjects[Scope.CONNECTION] = of_connection(tenant.id, connection) if connection else None
    if any(rate.scope is Scope.CLIENT for rate in limit.rates):
        subjects[Scope.CLIENT] = get_ip(request)
    return spend(limit, subjects)


def limited(limit: Limit, *, by_view: bool = False) -> Callable[[View], View]:
    """Every request that changes something uses the limit once, before the view runs; reached, it is answered with 429.

    Stands inside `@member`, so that whoever may not use the page uses nothing. `by_view`: the view itself, or a service
    that it calls, spends where it knows what for; a test holds it to that.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def inside(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not by_view and request.method not in SAFE_METHODS:
                spend_by(request, limit, connection=kwargs.get("connection_id"))
            return view(request, *args, **kwargs)

        inside.limits = (limit, *getattr(view, "limits", ()))  # type: ignore[attr-defined]
        return inside

    return decorate


@dataclass(frozen=True)
class AccountPage:
    """What one of allauth's pages uses; `recipient` names the field that holds a mail address."""

    limit: Limit
    recipient: str = ""


# allauth's own limits (ACCOUNT_RATE_LIMITS) hold beside these. Wrong passwords and codes are counted where they are
# judged, in portal/members (SIGN_IN, SIGN_IN_CODE). What has no effect worth a limit of its own has that of any form.
ACCOUNT_PAGES = {
    "account_login": AccountPage(limits.ANONYMOUS_FORM),
    "account_logout": AccountPage(limits.FORM),
    "account_signup": AccountPage(limits.ANONYMOUS_FORM),
    "account_reauthenticate": AccountPage(limits.FORM),
    "account_confirm_login_code": AccountPage(limits.ANONYMOUS_FORM),
    "account_confirm_email": AccountPage(limits.ANONYMOUS_FORM),
    "account_reset_password": AccountPage(limits.PASSWORD_RESET, recipient="email"),
    "account_reset_password_from_key": AccountPage(limits.ANONYMOUS_FORM),
    "account_email": AccountPage(limits.ADDRESS_CHANGE, recipient="email"),
    "account_change_password": AccountPage(limits.ACCOUNT_CHANGE),
    "account_set_password": AccountPage(limits.ACCOUNT_CHANGE),
    "mfa_authenticate": AccountPage(limits.ANONYMOUS_FORM),
    "mfa_reauthenticate": AccountPage(limits.FORM),
    "mfa_activate_totp": AccountPage(limits.ACCOUNT_CHANGE),
    "mfa_deactivate_totp": AccountPage(limits.ACCOUNT_CHANGE),
    "mfa_generate_recovery_codes": AccountPage(limits.ACCOUNT_CHANGE),
    "usersessions_list": AccountPage(limits.ACCOUNT_CHANGE),
}
