"""Tenants for staff: founding, renaming, suspending, and who belongs to each."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from connections.tenancy.models import Tenant, TenantState
from connections.tenancy.scope import Actor
from connections.vault.keys import SYSTEM_OWNER, KeyUnavailable, newest_public
from connections.vault.models import Connection
from portal.members import services as team
from portal.members.memberships import team_of
from portal.members.models import Invitation, Membership, User
from portal.members.permissions import HIGHEST_ROLE, STAFF_INVITE_AS, Role
from portal.members.statuses import status_of
from portal.support import services
from portal.support.admin_actions import ButtonPress, ask_first, get_button_press
from portal.support.filters import Choices
from portal.support.formatting import badge, when
from portal.support.read_only_admin import Editable, RowForm

NO_KEYS = _("The system's keys are not made yet, so no mail can be sealed. Start a worker, then try again.")


MOST_CONNECTIONS = 50  # on a tenant's page; their list shows all


def _refuse_without_system_key(form: forms.BaseForm, field: str) -> None:
    try:
        newest_public(SYSTEM_OWNER)
    except KeyUnavailable:
        form.add_error(field, NO_KEYS)


class FoundingForm(RowForm):
    """A new tenant and its first owner."""

    owner_email = forms.EmailField(
        label=_("E-mail address of the first owner"), help_text=_("Gets an invitation by mail.")
    )

    class Meta:
        model = Tenant
        fields = ("name", "slug")
        help_texts = {"slug": _("Small letters, digits and hyphens. It stands in links, so it never changes.")}

    def clean_slug(self) -> str:
        return str(self.cleaned_data["slug"]).lower()

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        _refuse_without_system_key(self, "owner_email")
        return cleaned


class InvitationForm(forms.Form):
    """One more person for a tenant."""

    email = forms.EmailField(label=_("E-mail address"))
    role = forms.ChoiceField(label=_("Role"), choices=Role.choices, initial=STAFF_INVITE_AS)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        _refuse_without_system_key(self, "email")
        return cleaned


class TenantStateFilter(Choices):
    title = _("state")
    parameter_name = column = "state"
    options = tuple(TenantState.choices)


def _count_of(model: Any) -> Coalesce:
    """How many rows of `model` a tenant has, counted by the index that its fence brings, inside the one query."""
    rows = model.objects.filter(tenant_id=OuterRef("id")).order_by().values("tenant_id")
    return Coalesce(Subquery(rows.annotate(n=Count("id")).values("n"), output_field=IntegerField()), 0)


@admin.register(Tenant)
class TenantAdmin(Editable):
    """Admins found and change, support look. Nothing is deleted here: keys would have to be destroyed first."""

    list_display = ("name", "slug", "state_badge", "connections", "members", "founded")
    list_display_links = ("name",)
    list_filter = (TenantStateFilter,)
    search_fields = ("name", "slug")
    search_help_text = _("A part of the name, an address, an id, or an address of the portal's pages.")
    paged_by = "name"
    actions = ("suspend_chosen", "reactivate_chosen")
    change_form_template = "admin/tenancy/tenant/change_form.html"

    # -- what is shown -------------------------------------------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> QuerySet[Tenant]:
        tenants: QuerySet[Tenant] = super().get_queryset(request)
        return tenants.annotate(connection_count=_count_of(Connection), member_count=_count_of(Membership))

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is None:
            kwargs["form"] = FoundingForm
        return super().get_form(request, obj, change=change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("name", "slug", "owner_email") if obj is None else ("name", "slug", "state_badge", "founded", "id")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return () if obj is None else ("slug", "state_badge", "founded", "id")

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> dict[str, Any]:
        return {"slug": ("name",)} if obj is None else {}

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        tenant = self.get_object(request, object_id)
        context = dict(extra_context or {})
        if tenant is not None:
            context |= {
                "team": team_of(tenant),
                "invitation_form": context.get("invitation_form") or InvitationForm(auto_id="invite_%s"),
                "connections": Connection.objects.filter(tenant=tenant).order_by("-created_at", "-id")[
                    :MOST_CONNECTIONS
                ],
                "has_more_connections": Connection.objects.filter(tenant=tenant)[MOST_CONNECTIONS:].exists(),
                "suspended": tenant.state == TenantState.SUSPENDED,
                "may_change": self.has_change_permission(request, tenant),
            }
        return super().change_view(request, object_id, form_url, context)

    @admin.display(description=_("state"))
    def state_badge(self, tenant: Tenant) -> SafeString:
        return badge(status_of(tenant))

    @admin.display(description=_("connections"))
    def connections(self, tenant: Any) -> int:
        return int(tenant.connection_count)

    @admin.display(description=_("members"))
    def members(self, tenant: Any) -> int:
        return int(tenant.member_count)

    @admin.display(description=_("founded"))
    def founded(self, tenant: Tenant) -> SafeString | str:
        return when(tenant.created_at)

    # -- what is done --------------------------------------------------------------------------------------------------

    def save_model(self, request: HttpRequest, obj: Tenant, form: Any, change: bool) -> None:
        actor = cast(User, request.user).actor
        if change:
            services.rename(tenant_id=obj.pk, name=obj.name, actor=actor)
            return
        owner_email = form.cleaned_data["owner_email"]
        obj.pk = services.create_tenant(name=obj.name, slug=obj.slug, owner_email=owner_email, actor=actor).pk

    def get_urls(self) -> list[URLPattern]:
        own: list[tuple[str, Any, str]] = [
            ("<uuid:tenant_id>/suspend/", self.suspend, "suspend"),
            ("<uuid:tenant_id>/reactivate/", self.reactivate, "reactivate"),
            ("<uuid:tenant_id>/invite/", self.invite, "invite"),
            ("<uuid:tenant_id>/invitations/<uuid:key>/revoke/", self.revoke, "revoke"),
            ("<uuid:tenant_id>/members/<uuid:key>/remove/", self.remove, "remove"),
        ]
        wrapped = [
            path(route, self.admin_site.admin_view(view), name=f"tenancy_tenant_{name}") for route, view, name in own
        ]
        return [*wrapped, *super().get_urls()]

    def suspend(self, request: HttpRequest, tenant_id: Any) -> HttpResponse:
        press: ButtonPress[Tenant] = get_button_press(request, Tenant, tenant_id)
        if "sure" not in request.POST:
            return self._ask_first(request, [press.row])
        self._suspend(request, [press.row], press.actor)
        return redirect("admin:tenancy_tenant_change", tenant_id)

    def reactivate(self, request: HttpRequest, tenant_id: Any) -> HttpResponse:
        press: ButtonPress[Tenant] = get_button_press(request, Tenant, tenant_id)
        self._reactivate(request, [press.row], press.actor)
        return redirect("admin:tenancy_tenant_change", tenant_id)

    @admin.action(description=_("Suspend the chosen tenants"), permissions=["change"])
    def suspend_chosen(self, request: HttpRequest, queryset: QuerySet[Tenant]) -> HttpResponse | None:
        if "sure" not in request.POST:
            return self._ask_first(request, list(queryset), action="suspend_chosen")
        self._suspend(request, list(queryset), cast(User, request.user).actor)
        return None

    @admin.action(description=_("Reactivate the chosen tenants"), permissions=["change"])
    def reactivate_chosen(self, request: HttpRequest, queryset: QuerySet[Tenant]) -> None:
        self._reactivate(request, list(queryset), cast(User, request.user).actor)

    def _suspend(self, request: HttpRequest, tenants: list[Tenant], actor: Actor) -> None:
        for tenant in tenants:
            if services.suspend(tenant_id=tenant.pk, actor=actor):
                self._told(request, tenant, gettext("Suspended."))
                messages.success(request, gettext("%(name)s is suspended.") % {"name": tenant.name})

    def _reactivate(self, request: HttpRequest, tenants: list[Tenant], actor: Actor) -> None:
        for tenant in tenants:
            if services.reactivate(tenant_id=tenant.pk, actor=actor):
                self._told(request, tenant, gettext("Reactivated."))
                messages.success(request, gettext("%(name)s is reactivated.") % {"name": tenant.name})

    def _ask_first(self, request: HttpRequest, tenants: list[Tenant], action: str = "") -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Suspend?"),
            "opts": self.opts,
            "tenants": tenants,
            "action": action,
        }
        return TemplateResponse(request, "admin/tenancy/tenant/suspend.html", context)

    def invite(self, request: HttpRequest, tenant_id: Any) -> HttpResponse:
        press: ButtonPress[Tenant] = get_button_press(request, Tenant, tenant_id)
        form = InvitationForm(request.POST, auto_id="invite_%s")
        if form.is_valid():
            email, role = form.cleaned_data["email"], Role(form.cleaned_data["role"])
            try:
                team.invite(tenant=press.row, email=email, role=role, actor=press.actor, up_to=HIGHEST_ROLE)
            except team.NotAllowed as refused:
                form.add_error(refused.field or None, str(refused.sentence))
            else:
                self._told(request, press.row, gettext("Invited %(email)s.") % {"email": email})
                messages.success(request, gettext("%(email)s is invited.") % {"email": email})
                return redirect("admin:tenancy_tenant_change", tenant_id)
        request.method = "GET"  # the tenant's own form below was not what was sent
        return self.change_view(request, str(tenant_id), extra_context={"invitation_form": form})

    def revoke(self, request: HttpRequest, tenant_id: Any, key: Any) -> HttpResponse:
        press: ButtonPress[Invitation] = get_button_press(request, Invitation, key, tenant_id=tenant_id)
        team.revoke(invitation=press.row, actor=press.actor)
        messages.success(request, gettext("The invitation of %(email)s is withdrawn.") % {"email": press.row.email})
        return redirect("admin:tenancy_tenant_change", tenant_id)

    def remove(self, request: HttpRequest, tenant_id: Any, key: Any) -> HttpResponse:
        press: ButtonPress[Membership] = get_button_press(request, Membership, key, tenant_id=tenant_id)
        press.row.user = User.objects.defer("password").get(pk=press.row.user_id)  # no right on passwords
        words = {"who": press.row.user.email, "name": press.row.tenant.name}
        question = ask_first(
            request,
            {**self.admin_site.each_context(request), "title": gettext("Remove a member?")},
            about=press.row.tenant,
            sentences=[
                gettext("%(who)s no longer sees or changes anything of %(name)s, and is signed out everywhere.")
                % words,
                gettext("Invitations that %(who)s sent there and that nobody has accepted yet are withdrawn.") % words,
                gettext("Connections and what was read stay. To come back it takes a new invitation."),
            ],
            button=gettext("Remove"),
            back=reverse("admin:tenancy_tenant_change", args=[tenant_id]),
        )
        if question is not None:
            return question
        try:
            team.remove(membership=press.row, actor=press.actor, up_to=HIGHEST_ROLE)
        except team.NotAllowed as refused:
            messages.error(request, str(refused.sentence))
        else:
            messages.success(request, gettext("%(who)s is no longer a member.") % {"who": press.row.user.email})
        return redirect("admin:tenancy_tenant_change", tenant_id)

    def _told(self, request: HttpRequest, tenant: Tenant, message: str) -> None:
        LogEntry.objects.log_actions(cast(User, request.user).pk, [tenant], CHANGE, message, single_object=True)
