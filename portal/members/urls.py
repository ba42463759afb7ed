"""Addresses of pages about people."""

from __future__ import annotations

from django.urls import path

from portal.members.views import enrolling, entering, resuming, team, tenant_settings, you

urlpatterns = [
    path("", entering.front, name="front"),
    path("companies/", entering.tenants, name="tenants"),
    path("you/", you.you, name="you"),
    path("continue/<str:number>/", resuming.resume, name="resume_request"),
    path("invitations/<str:token>/", entering.invitation, name="invitation"),
    path("second-factor/<str:token>/", enrolling.enrol, name="enrolment"),
    path("t/<slug:slug>/settings/", tenant_settings.tenant_settings, name="tenant_settings"),
    path("t/<slug:slug>/team/", team.team, name="team"),
    path("t/<slug:slug>/team/invite/", team.invite, name="invite"),
    path("t/<slug:slug>/team/invitations/<uuid:invitation_id>/revoke/", team.revoke, name="revoke_invitation"),
    path("t/<slug:slug>/team/invitations/<uuid:invitation_id>/again/", team.invite_again, name="invite_again"),
    path("t/<slug:slug>/team/members/<uuid:membership_id>/role/", team.change_role, name="change_role"),
    path("t/<slug:slug>/team/members/<uuid:membership_id>/remove/", team.remove, name="remove_member"),
]
