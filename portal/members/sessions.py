"""Ends a person's sessions everywhere, and how long any session may last: a limit for idleness, and one for its age."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable

from allauth.core.internal.ratelimit import get_ip
from allauth.usersessions.middleware import UserSessionsMiddleware
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY, logout, update_session_auth_hash
from django.contrib.sessions.models import Session
from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.members.models import User

VISIT_IN_SESSION = "staff_visit"  # its tenant's name and its end, so that no staff page asks the database for them
STARTED_AT, ACTIVE_AT = "members_started_at", "members_active_at"
ACTIVE_STEP_SECONDS = 60  # activity is written down at most this often
# When the session was last noted in its person's list of sessions, and as which session and browser.
LISTED_AT, LISTED_AS = "members_listed_at", "members_listed_as"
LIST_STEP_SECONDS = 5 * 60


def end_sessions(user_id: int) -> None:
    """Every session of this person is over, whatever changes later. Needs no scope; web and staff may."""
    User.objects.filter(pk=user_id).update(session_epoch=F("session_epoch") + 1)


def keep_this_session(request: HttpRequest) -> None:
    """After `end_sessions`: the session at hand goes on, under a new key."""
    user = request.user
    if user.is_authenticated:
        user.refresh_from_db(fields=["session_epoch", "password"])
        update_session_auth_hash(request, user)


def sessions_of(user: User) -> list[UserSession]:
    """The person's list of sessions, oldest first, without those that are over, whose rows go. Two queries, or three."""
    rows = list(UserSession.objects.filter(user_id=user.pk).order_by("created_at"))
    stored = Session.objects.filter(session_key__in=[row.session_key for row in rows], expire_date__gt=timezone.now())
    valid = {user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()}
    living = {
        session.session_key
        for session, data in ((session, session.get_decoded()) for session in stored)
        if data.get(SESSION_KEY) == str(user.pk) and data.get(HASH_SESSION_KEY) in valid
    }
    over = [row.pk for row in rows if row.session_key not in living]
    if over:
        UserSession.objects.filter(pk__in=over).delete()
    return [row for row in rows if row.session_key in living]


def start_clock(request: HttpRequest) -> None:
    """The session's age counts from now: somebody has just signed in."""
    request.session[STARTED_AT] = request.session[ACTIVE_AT] = time.time()


class SessionLimitsMiddleware:
    """Signs out whoever was idle for too long or signed in too long ago. Comes before whatever looks at the person."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated:
            is_polling = _is_polling(request)
            if _is_over(request):
                request.signed_out_id = request.user.pk  # type: ignore[attr-defined]  # what they sent is theirs
                logout(request)
                messages.info(request, _("You were signed out, because too much time has passed. Sign in to go on."))
                if is_polling:
                    # Only a part of a page was asked for: the whole page is loaded anew, and leads to the sign-in.
                    return HttpResponse(status=204, headers={"HX-Refresh": "true"})
            elif not is_polling:
                _note_activity(request)
        return self.get_response(request)


class SessionListMiddleware(UserSessionsMiddleware):
    """allauth's list of a person's sessions, written at most every few minutes and where the browser or its address changed.

    The list only tells: whether a session is over, its own row and the person's say at every request.
    """

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.user.is_authenticated or _is_polling(request):
            return self.get_response(request)
        now, browser = time.time(), _browser(request)
        is_known = request.session.get(LISTED_AS) == browser
        if is_known and now - request.session.get(LISTED_AT, 0.0) < LIST_STEP_SECONDS:
            return self.get_response(request)
        request.session[LISTED_AT], request.session[LISTED_AS] = now, browser
        return super().__call__(request)


def _browser(request: HttpRequest) -> str:
    """Changes with the session's key, the browser and its address."""
    parts = (request.session.session_key, request.META.get("HTTP_USER_AGENT"), get_ip(request))
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


def _is_polling(request: HttpRequest) -> bool:
    """A page that asks by itself is not a person who does something."""
    return request.method == "GET" and "HX-Request" in request.headers


def _is_over(request: HttpRequest) -> bool:
    now = time.time()
    kind = "staff" if request.user.is_staff else "customer"
    # A session from before there were limits begins now.
    started_at = request.session.setdefault(STARTED_AT, now)
    active_at = request.session.get(ACTIVE_AT, now)
    is_too_old = now - started_at >= settings.SESSION_AGE_SECONDS[kind]
    return is_too_old or now - active_at >= settings.SESSION_IDLE_SECONDS[kind]


def _note_activity(request: HttpRequest) -> None:
    now = time.time()
    if now - request.session.get(ACTIVE_AT, 0.0) >= ACTIVE_STEP_SECONDS:
        request.session[ACTIVE_AT] = now
