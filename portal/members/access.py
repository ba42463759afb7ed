"""Who may open a page: @signed_in, @member(action) for a tenant's pages, is_admitted_staff for the admin."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, cast
from uuid import UUID

from allauth.account.authentication import get_authentication_records
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import resolve_url
from django.utils.translation import gettext as _

from connections.tenancy.models import Tenant, TenantState
from connections.tenancy.scope import tenant_scope
from portal.members.models import Membership, User
from portal.members.pending_request import page_of_the_form, suspend
from portal.members.permissions import Action

View = Callable[..., HttpResponse]
READING = ("GET", "HEAD", "OPTIONS")


class MemberRequest(HttpRequest):
    """A request whose person was found to be a member: `tenant` and `membership` are set, the tenant's scope is entered."""

    user: User
    tenant: Tenant
    membership: Membership


def to_sign_in(request: HttpRequest, *, may_keep: bool = True, within: str = "/") -> HttpResponse:
    """To the sign-in, and back to the page; who sent a form comes back to what they sent, as far as it may be kept."""
    next_address = request.get_full_path()
    if request.method not in READING:
        page = page_of_the_form(request, within)
        next_address = suspend(request, page) if may_keep else ""
        if next_address:
            messages.warning(
                request,
                _("You are not signed in, so nothing was carried out. Sign in, and send it from the next page."),
            )
        else:
            next_address = page
            messages.warning(
                request,
                _(
                    "You are not signed in, so nothing was carried out. Sign in, and you come back to the page. What you"
                    " typed was not kept: fill it in again there."
                ),
            )
    return redirect_to_login(next_address, resolve_url("account_login"))


def signed_in(view: View) -> View:
    """For everybody who is signed in."""

    @wraps(view)
    def inside(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.user.is_authenticated:
            return to_sign_in(request)
        return view(request, *args, **kwargs)

    inside.needs_sign_in = True  # type: ignore[attr-defined]
    return inside


def needs_sign_in(request: HttpRequest) -> bool:
    """Whether the page that was asked for is none for strangers."""
    match = request.resolver_match
    return match is not None and ("admin" in match.namespaces or getattr(match.func, "needs_sign_in", False))


def member(action: Action) -> Callable[[View], View]:
    """Enter the tenant named by `slug` in the address, for members whose role allows `action`.

    Whoever may not see it gets the same 404 as for a tenant that does not exist. The view must return a rendered
    response: the scope ends with it.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        @signed_in
        def inside(request: HttpRequest, slug: str, *args: Any, **kwargs: Any) -> HttpResponse:
            user = cast(User, request.user)
            membership = _allowed_membership(user, action, tenant__slug=slug)
            if membership is None:
                raise Http404
            member_request = cast(MemberRequest, request)
            member_request.tenant, member_request.membership = membership.tenant, membership
            # What a view has written is undone when it raises; one that only reads has nothing to undo.
            with tenant_scope(membership.tenant_id, savepoint=request.method not in READING):
                return view(member_request, *args, **kwargs)

        inside.needs_sign_in = True  # type: ignore[attr-defined]
        inside.action = action  # type: ignore[attr-defined]
        return inside

    return decorate


def membership_of(user: User, tenant_id: UUID, action: Action) -> Membership | None:
    """This person's membership of a tenant, if it allows `action`; None alike for all else. Needs the person's scope."""
    return _allowed_membership(user, action, tenant_id=tenant_id)


def _allowed_membership(user: User, action: Action, **tenant: Any) -> Membership | None:
    """None where there is no membership, the tenant is suspended, or the role does not allow the action."""
    membership = Membership.objects.select_related("tenant").filter(user_id=user.pk, **tenant).first()
    if membership is None or membership.tenant.state == TenantState.SUSPENDED or not membership.can(action):
        return None
    return membership


def used_second_factor(request: HttpRequest) -> bool:
    """Whether this very session was opened with a second factor, not only that one is set up."""
    return any(record.get("method") == "mfa" for record in get_authentication_records(request, request.user))


def is_admitted_staff(request: HttpRequest) -> bool:
    """Active staff; outside the demo only in a session that used the second factor."""
    user = request.user
    if not (user.is_authenticated and user.is_active and user.is_staff):
        return False
    return settings.DEMO or used_second_factor(request)
