"""People for staff. Admins add, change and remove staff, and switch sign-ins off; nobody does so for themselves."""

from __future__ import annotations

from typing import Any, cast

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache

from connections.vault.keys import SYSTEM_OWNER, KeyUnavailable, newest_public
from portal.members import enrolment, staff
from portal.members.models import Membership, User
from portal.members.permissions import StaffAction, StaffRole
from portal.members.services import NotAllowed
from portal.members.statuses import status
from portal.support.admin_actions import NotAPost, ask_first
from portal.support.filters import Choices
from portal.support.formatting import NOTHING, badge, link, text, when
from portal.support.read_only_admin import Editable, RowForm

NO_KEYS = _("The system's keys are not made yet, so no mail can be sealed. Start a worker, then try again.")


class StaffRoleFilter(Choices):
    title = _("staff role")
    parameter_name = column = "staff_role"
    options = tuple((role.value, role.label) for role in StaffRole if role.value)


class SignInFilter(Choices):
    title = _("sign-in")
    parameter_name = column = "is_active"
    options = ((True, _("on")), (False, _("off")))


class StaffForm(RowForm):
    """A new staff person. Customers come by invitation."""

    class Meta:
        model = User
        fields = ("email", "name", "staff_role")
        help_texts = {"email": _("Gets a link by mail to choose a password. The second factor needs another link.")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        role = cast(forms.ChoiceField, self.fields["staff_role"])
        role.required = True
        role.choices = [(role.value, role.label) for role in StaffRole.that_can(StaffAction.VIEW)]

    def clean_email(self) -> str:
        email = str(self.cleaned_data["email"]).strip().lower()
        if EmailAddress.objects.filter(email__iexact=email).exists():
            raise forms.ValidationError(_("Somebody signs in with this address already: change that person instead."))
        return email

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        try:
            newest_public(SYSTEM_OWNER)
        except KeyUnavailable:
            self.add_error("email", NO_KEYS)
        return cleaned


@admin.register(User)
class PersonAdmin(Editable):
    """Customers come by invitation, staff are added here; none is deleted: their name stands in audit trails."""

    list_display = ("email", "shown_name", "staff", "sign_in", "joined")
    list_filter = (StaffRoleFilter, SignInFilter)
    search_fields = ("email", "name")
    search_help_text = _("E-mail address or name, or a part of either; a person's number.")
    paged_by = "email"
    readonly_fields = ("email", "joined", "sign_in", "second_factor", "belongs")
    change_form_template = "admin/members/user/change_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).defer("password")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return StaffForm.Meta.fields
        sign_in = "is_active" if self.has_change_permission(request) and obj.pk != request.user.pk else "sign_in"
        return ("email", "name", "staff_role", sign_in, "second_factor", "belongs", "joined")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is None:
            kwargs["form"] = StaffForm
        return super().get_form(request, obj, change=change, **kwargs)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ()
        if obj.pk == request.user.pk:
            # Whoever locks themselves out, or lifts themselves up, does so with a second admin.
            return (*self.readonly_fields, "staff_role")
        return self.readonly_fields

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        if not change:
            staff.add(user=obj, request=request)
            return
        if "name" in form.changed_data:
            obj.save(update_fields=["name"])
        if {"staff_role", "is_active"} & set(form.changed_data):
            staff.change(
                user=obj,
                staff_role=StaffRole(obj.staff_role),
                is_active=obj.is_active,
                actor=cast(User, request.user),
                request=request,
            )

    def changeform_view(self, request: HttpRequest, object_id: str | None = None, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().changeform_view(request, object_id, *args, **kwargs)
        except NotAllowed as refused:  # Django has rolled back what it wrote
            messages.error(request, str(refused.sentence))
            return redirect(request.path)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = dict(extra_context or {})
        user = self.get_object(request, object_id)
        if user is not None:
            context |= {
                "may_make_link": self._may_vouch(request, user),
                "waiting_link": enrolment.waiting_links(user).first(),
            }
        return super().change_view(request, object_id, form_url, context)

    # -- the second factor of staff ------------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        make, revoke = (self.admin_site.admin_view(view) for view in (never_cache(self.make_link), self.revoke_link))
        return [
            path("<int:key>/second-factor-link/", make, name="members_user_make_link"),
            path("<int:key>/second-factor-link/revoke/", revoke, name="members_user_revoke_link"),
            *super().get_urls(),
        ]

    def make_link(self, request: HttpRequest, key: int) -> HttpResponse:
        """The link is shown this once, to be handed over by another way than mail."""
        user = self._posted(request, key)
        question = ask_first(
            request,
            {**self.admin_site.each_context(request), "title": gettext("Make a link?")},
            about=user,
            sentences=[
                gettext("What %(who)s has set up as a second factor stops working at once, and so do earlier links.")
                % {"who": user.email},
                gettext("Every session of this person ends. It cannot be taken back; a new factor needs this link."),
            ],
            button=gettext("Make a link"),
            back=reverse("admin:members_user_change", args=[key]),
        )
        if question is not None:
            return question
        try:
            address = enrolment.make_link(user=user, made_by=cast(User, request.user), request=request)
        except NotAllowed as refused:
            messages.error(request, str(refused.sentence))
            return redirect("admin:members_user_change", key)
        self._log(request, user, gettext("Made a link for a second factor."))
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Link for a second factor"),
            "opts": self.opts,
            "person": user,
            "address": address,
        }
        return TemplateResponse(request, "admin/members/user/link.html", context)

    def revoke_link(self, request: HttpRequest, key: int) -> HttpResponse:
        user = self._posted(request, key)
        if enrolment.revoke_links(user=user, request=request):
            self._log(request, user, gettext("Withdrew a link for a second factor."))
            messages.success(request, gettext("The link is withdrawn."))
        return redirect("admin:members_user_change", key)

    def _posted(self, request: HttpRequest, key: int) -> User:
        """The person a button is about. Admins only, by POST only."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        if request.method != "POST":
            raise NotAPost
        user = self.get_queryset(request).filter(pk=key).first()
        if user is None:
            raise Http404
        return user

    def _may_vouch(self, request: HttpRequest, user: User) -> bool:
        return self.has_change_permission(request) and user.is_staff and user.is_active and user.pk != request.user.pk

    def _log(self, request: HttpRequest, user: User, message: str) -> None:
        LogEntry.objects.log_actions(cast(User, request.user).pk, [user], CHANGE, message, single_object=True)

    # -- what is shown -------------------------------------------------------------------------------------------------

    @admin.display(description=_("name"))
    def shown_name(self, user: User) -> str:
        return text(user.name)

    @admin.display(description=_("staff"))
    def staff(self, user: User) -> str:
        return user.get_staff_role_display() if user.staff_role else NOTHING

    @admin.display(description=_("sign-in"))
    def sign_in(self, user: User) -> SafeString:
        return badge(status("sign_in", "on" if user.is_active else "off"))

    @admin.display(description=_("joined"))
    def joined(self, user: User) -> SafeString | str:
        return when(user.joined_at)

    @admin.display(description=_("second factor"))
    def second_factor(self, user: User) -> SafeString:
        # Only what the staff's role may read: never the seed.
        kinds = set(Authenticator.objects.filter(user_id=user.pk).values_list("type", flat=True))
        if Authenticator.Type.TOTP in kinds:
            return badge(status("second_factor", "set-up"))
        return badge(status("second_factor", "missing" if user.is_staff else "absent"))

    @admin.display(description=_("belongs to"))
    def belongs(self, user: User) -> SafeString | str:
        memberships = list(Membership.objects.select_related("tenant").filter(user_id=user.pk).order_by("joined_at"))
        rows = (
            (link(membership.tenant, membership.tenant_id, membership.tenant.name), membership.get_role_display())
            for membership in memberships
        )
        return format_html_join("", "<div>{} ({})</div>", rows) if memberships else NOTHING
