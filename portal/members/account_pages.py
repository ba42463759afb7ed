"""allauth's pages, each behind our step-up: what changes how somebody signs in is confirmed, written down and told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import wraps
from typing import Any

from allauth import urls as allauth_urls
from allauth.account import app_settings as allauth_settings
from allauth.account.authentication import get_authentication_records
from allauth.account.models import EmailAddress, get_emailconfirmation_model
from allauth.mfa.models import Authenticator
from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.core import signing
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, resolve_url
from django.urls import URLPattern, URLResolver
from django.utils.translation import gettext as _

from connections.spec.text import isolate
from portal.members import enrolment
from portal.members.access import to_sign_in
from portal.members.models import User
from portal.members.pending_request import resume
from portal.members.security_events import notify_security, record
from portal.members.services import NotAllowed
from portal.members.sessions import end_sessions, keep_this_session
from portal.members.stepup import READING, ask_again, forget_factors, recently_proved, remember_new_factor
from portal.members.views.enrolling import whom_to_ask
from portal.members.views.sessions import SessionsView

View = Callable[..., HttpResponse]

# For people who are not signed in, or on their way: each asks for what it needs itself. All others are behind the
# step-up, and so is whatever page a newer allauth brings.
OPEN = frozenset(
    {
        "account_login",
        "account_logout",
        "account_inactive",
        "account_signup",
        "account_email_verification_sent",
        "account_confirm_login_code",
        "account_reset_password",
        "account_reset_password_done",
        "account_reset_password_from_key",
        "account_reset_password_from_key_done",
        "account_reauthenticate",
        "mfa_authenticate",
        "mfa_reauthenticate",
    }
)
# These may be looked at: they show nothing that lets anybody in.
READABLE = frozenset({"account_email", "account_confirm_email", "mfa_index", "usersessions_list"})
CONFIRM, ADD_FACTOR, SESSIONS = "account_confirm_email", "mfa_activate_totp", "usersessions_list"
OURS: dict[str | None, View] = {SESSIONS: SessionsView.as_view()}  # in place of allauth's
SHOWING_CODES = frozenset({"mfa_view_recovery_codes", "mfa_download_recovery_codes"})


@dataclass(frozen=True)
class SecurityEvent:
    """What one page changed, with the words its mail needs."""

    name: str
    details: dict[str, str]
    ends_sessions: bool = True


@dataclass(frozen=True)
class SignInMethods:
    """How a person signs in, as far as allauth's pages can change it; passwords are the adapter's."""

    addresses: dict[str, bool]  # whether it is confirmed
    primary: str
    factors: dict[int, str]

    @classmethod
    def of(cls, user: User) -> SignInMethods:
        rows = list(EmailAddress.objects.filter(user_id=user.pk))
        return cls(
            addresses={row.email: row.verified for row in rows},
            primary=next((row.email for row in rows if row.primary), user.email),
            factors=dict(Authenticator.objects.filter(user_id=user.pk).values_list("pk", "type")),
        )

    def has(self, kind: str) -> bool:
        return kind in self.factors.values()


def _differences(before: SignInMethods, after: SignInMethods) -> Iterator[SecurityEvent]:
    for email, is_confirmed in after.addresses.items():
        if email not in before.addresses:
            yield SecurityEvent("address.added", {"email": email})
        if is_confirmed and not before.addresses.get(email):
            yield SecurityEvent("address.confirmed", {"email": email})
    if after.primary != before.primary:
        yield SecurityEvent("address.changed", {"before": before.primary, "after": after.primary})
    for email in before.addresses.keys() - after.addresses.keys():
        yield SecurityEvent("address.removed", {"email": email})
    codes = Authenticator.Type.RECOVERY_CODES
    had, has = (any(kind != codes for kind in methods.factors.values()) for methods in (before, after))
    if has and after.factors.keys() - before.factors.keys() and not had:
        yield SecurityEvent("second_factor.set_up", {})
    elif had and not has:
        yield SecurityEvent("second_factor.removed", {})
    elif after.factors != before.factors:
        yield SecurityEvent("recovery_codes.renewed", {})


def _other_events(name: str, request: HttpRequest, response: HttpResponse) -> Iterator[SecurityEvent]:
    """What leaves no trace in rows of the person's."""
    if name in SHOWING_CODES and response.status_code == 200:
        yield SecurityEvent("recovery_codes.shown", {}, ends_sessions=False)
    if name == SESSIONS and request.method == "POST":
        yield SecurityEvent("sessions.ended", {})


def guard(view: View, name: str) -> View:
    """allauth's view `name` behind our rules."""

    @wraps(view)
    def inside(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if name in OPEN:
            return _run_and_renew_key(view, request, *args, **kwargs)
        if name == CONFIRM and (refused := _not_for_this_person(request, str(kwargs.get("key", "")))):
            return refused
        if not request.user.is_authenticated:
            if name == CONFIRM:
                return view(request, *args, **kwargs)
            return to_sign_in(request)
        if request.method in READING and name in READABLE:
            return view(request, *args, **kwargs)
        user = request.user  # the view may sign it out, and put nobody there
        needs_link = enrolment.needs_link(user)
        if name == ADD_FACTOR and needs_link and enrolment.link_of_session(request, user) is None:
            return whom_to_ask(request, user)
        if not recently_proved(request):
            return ask_again(request, request.get_full_path() if request.method in READING else request.path)
        try:
            with transaction.atomic():
                return _run_and_tell(view, name, user, needs_link, request, *args, **kwargs)
        except NotAllowed as refusal:
            messages.error(request, str(refusal.sentence))
            return redirect("front")

    inside.needs_sign_in = name not in OPEN and name != CONFIRM  # type: ignore[attr-defined]
    return inside


def _run_and_tell(
    view: View, name: str, user: User, needs_link: bool, request: HttpRequest, *args: Any, **kwargs: Any
) -> HttpResponse:
    """Do it, see what is different, and tell. Raises NotAllowed for a first factor of staff without its link."""
    before = SignInMethods.of(user)
    response = view(request, *args, **kwargs)
    after = SignInMethods.of(user)
    if needs_link and after.factors.keys() - before.factors.keys():
        enrolment.use_link(request, user)
    events = [*_differences(before, after), *_other_events(name, request, response)]
    for event in events:
        record(user, event.name, request, **event.details)
        old = {before.primary}
        if event.name == "address.removed" and before.addresses[event.details["email"]]:
            old.add(event.details["email"])
        for address in sorted(old):
            notify_security(address, event.name, **event.details)
    names = {event.name for event in events}
    if request.user.is_authenticated:
        if "second_factor.removed" in names:
            forget_factors(request)
        if "second_factor.set_up" in names:
            remember_new_factor(request)
    if any(event.ends_sessions for event in events):
        end_sessions(user.pk)
        keep_this_session(request)
    return response


def _run_and_renew_key(view: View, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
    """Who has shown once more that it is them goes on under a new key of the session, with what they were asked for."""
    was_signed_in = request.user.is_authenticated
    before = len(get_authentication_records(request, request.user))
    response = view(request, *args, **kwargs)
    if was_signed_in and len(get_authentication_records(request, request.user)) > before:
        request.session.cycle_key()
        return resume(request, response.headers.get("Location", "")) or response
    return response


def _not_for_this_person(request: HttpRequest, key: str) -> HttpResponse | None:
    """A confirmation is its person's own, signed in; but for somebody whom no confirmed address lets in yet."""
    confirmation = get_emailconfirmation_model().from_key(key)
    if confirmation is None:
        return _confirmed_before(request, key)
    user_id = confirmation.email_address.user_id
    if request.user.is_authenticated:
        if request.user.pk != user_id:
            raise Http404
        return None
    if not EmailAddress.objects.filter(user_id=user_id, verified=True).exists():
        return None
    return redirect_to_login(request.get_full_path(), resolve_url("account_login"))


def _confirmed_before(request: HttpRequest, key: str) -> HttpResponse | None:
    """A link that did its work is no wrong one: its person is told so. To all others allauth says that it is void."""
    try:
        address_id = signing.loads(key, salt=allauth_settings.SALT)
    except signing.BadSignature:
        return None
    address = (
        EmailAddress.objects.filter(pk=address_id, verified=True).first() if isinstance(address_id, int) else None
    )
    if address is None:
        return None
    if not request.user.is_authenticated:
        return redirect_to_login(request.get_full_path(), resolve_url("account_login"))
    if request.user.pk != address.user_id:
        return None
    messages.info(request, _("The address %(email)s is confirmed already.") % {"email": isolate(address.email)})
    return redirect("account_email")


def _guard_all(patterns: list[Any]) -> list[Any]:
    guarded: list[Any] = []
    for each in patterns:
        if isinstance(each, URLResolver):
            guarded.append(
                URLResolver(
                    each.pattern, _guard_all(each.url_patterns), each.default_kwargs, each.app_name, each.namespace
                )
            )
        else:
            view = guard(OURS.get(each.name, each.callback), each.name or "")
            guarded.append(URLPattern(each.pattern, view, each.default_args, each.name))
    return guarded


urlpatterns = _guard_all(allauth_urls.urlpatterns)
