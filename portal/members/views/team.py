"""The team of a tenant: everybody sees it, owners change it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from connections.spec.text import isolate
from portal.members import services
from portal.members.access import MemberRequest, member
from portal.members.forms import InviteAgainForm, InviteForm, RoleForm, roles_within
from portal.members.memberships import team_of
from portal.members.models import Invitation, Membership
from portal.members.permissions import MEMBERS_INVITE_AS, Action, Role
from portal.members.sessions import keep_this_session
from portal.members.shortcuts import get_own_or_404
from portal.members.stepup import step_up_required
from portal.rate_limits import limits
from portal.rate_limits.middleware import limit_sentence
from portal.rate_limits.pages import limited
from portal.rate_limits.spending import RateLimited

View = Callable[..., HttpResponse]


def _team_page(request: MemberRequest, **kwargs: Any) -> str:
    return reverse("team", args=[request.tenant.slug])


def _sensitive(view: View) -> View:
    """Changes to a team need a person who has shown lately that it is them; a broken rule becomes a message."""

    @wraps(view)
    def inside(request: MemberRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except services.NotAllowed as refused:
            messages.error(request, str(refused.sentence))
            return redirect("team", request.tenant.slug)

    return step_up_required(_team_page)(inside)


@require_GET
@member(Action.VIEW)
def team(request: MemberRequest) -> HttpResponse:
    return _show(request)


def _show(
    request: MemberRequest, form: InviteForm | None = None, again: dict[UUID, InviteAgainForm] | None = None
) -> HttpResponse:
    """`again`: the forms of invitations that were filled in and cannot be sent like that."""
    mine = Role(request.membership.role)
    people = team_of(request.tenant)
    for each in (*people.waiting, *people.expired):
        each.again = (again or {}).get(each.id)
        if each.again is None and (each in people.expired or (each.delivery is not None and each.delivery.is_over)):
            each.again = InviteAgainForm(initial={"email": each.email}, auto_id=f"again-{each.id}-%s")
    return render(
        request,
        "members/team.html",
        {
            "team": people,
            "form": form or InviteForm(up_to=mine, initial={"role": MEMBERS_INVITE_AS.value}),
            "roles": roles_within(mine),
        },
    )


@require_POST
@member(Action.MANAGE_TEAM)
@limited(limits.INVITATION, by_view=True)
@_sensitive
def invite(request: MemberRequest) -> HttpResponse:
    form = InviteForm(request.POST, up_to=Role(request.membership.role))
    if form.is_valid():
        try:
            services.invite(
                tenant=request.tenant,
                email=form.cleaned_data["email"],
                role=form.selected_role,
                actor=request.user.actor,
                up_to=Role(request.membership.role),
            )
        except services.NotAllowed as refused:
            form.add_error(refused.field or None, str(refused.sentence))
        except RateLimited as reached:
            form.add_error(None, limit_sentence(request, reached))
        else:
            messages.success(
                request,
                _("The invitation is on its way to %(email)s.") % {"email": isolate(form.cleaned_data["email"])},
            )
            return redirect("team", request.tenant.slug)
    return _show(request, form)


@require_POST
@member(Action.MANAGE_TEAM)
@limited(limits.INVITATION, by_view=True)
@_sensitive
def invite_again(request: MemberRequest, invitation_id: UUID) -> HttpResponse:
    """One that expired or could not be delivered; its old link no longer works, wherever it went."""
    invitation = get_own_or_404(request, Invitation, id=invitation_id)
    form = InviteAgainForm(request.POST, auto_id=f"again-{invitation.id}-%s")
    if form.is_valid():
        try:
            services.invite_again(
                invitation=invitation,
                email=form.cleaned_data["email"],
                actor=request.user.actor,
                up_to=Role(request.membership.role),
            )
        except services.NotAllowed as refused:
            form.add_error(refused.field if refused.field == "email" else None, str(refused.sentence))
        except RateLimited as reached:
            form.add_error(None, limit_sentence(request, reached))
        else:
            messages.success(
                request,
                _("The invitation is on its way to %(email)s.") % {"email": isolate(form.cleaned_data["email"])},
            )
            return redirect("team", request.tenant.slug)
    return _show(request, again={invitation.id: form})


@require_POST
@member(Action.MANAGE_TEAM)
@limited(limits.TEAM_CHANGE)
@_sensitive
def revoke(request: MemberRequest, invitation_id: UUID) -> HttpResponse:
    invitation = get_own_or_404(request, Invitation, id=invitation_id)
    services.revoke(invitation=invitation, actor=request.user.actor)
    messages.success(
        request,
        _(
            "The invitation to %(email)s is withdrawn: its link no longer works. If that was not meant, invite anew below."
        )
        % {"email": isolate(invitation.email)},
    )
    return redirect("team", request.tenant.slug)


@require_POST
@member(Action.MANAGE_TEAM)
@limited(limits.TEAM_CHANGE)
@_sensitive
def change_role(request: MemberRequest, membership_id: UUID) -> HttpResponse:
    membership = get_own_or_404(request, Membership, id=membership_id)
    form = RoleForm(request.POST, up_to=Role(request.membership.role))
    if not form.is_valid():
        messages.error(request, _("Choose one of the roles."))
        return redirect("team", request.tenant.slug)
    is_less = membership.user_id == request.user.pk and not form.selected_role.includes(Role(membership.role))
    if is_less and "sure" not in request.POST and not services.is_last_owner(membership):
        # Nobody can undo this themselves.
        return render(request, "members/own_role.html", {"role": form.selected_role})
    services.change_role(
        membership=membership, role=form.selected_role, actor=request.user.actor, up_to=Role(request.membership.role)
    )
    _keep_own_session(request, membership)
    messages.success(request, _("%(person)s has the new role.") % {"person": isolate(membership.user)})
    return redirect("team", request.tenant.slug)


@require_http_methods(["GET", "HEAD", "POST"])
@member(Action.MANAGE_TEAM)
@limited(limits.TEAM_CHANGE)
@_sensitive
def remove(request: MemberRequest, membership_id: UUID) -> HttpResponse:
    """A page that says what removing somebody means; sending it removes them."""
    membership = get_own_or_404(request, Membership, id=membership_id)
    if request.method != "POST":
        if services.is_last_owner(membership):
            raise services.NotAllowed(services.LAST_OWNER)
        context = {"membership": membership, "is_own": membership.user_id == request.user.pk}
        return render(request, "members/remove.html", context)
    services.remove(membership=membership, actor=request.user.actor, up_to=Role(request.membership.role))
    _keep_own_session(request, membership)
    messages.success(request, _("%(person)s is no longer in the team.") % {"person": isolate(membership.user)})
    if membership.user_id == request.user.pk:
        return redirect("front")
    return redirect("team", request.tenant.slug)


def _keep_own_session(request: MemberRequest, changed: Membership) -> None:
    """Who changed their own rights stays signed in where they did it."""
    if changed.user_id == request.user.pk:
        keep_this_session(request)
