"""People for staff: found by e-mail. Admins say who is staff, and switch sign-ins off; nobody does so for themselves."""

from __future__ import annotations

from typing import Any, cast

from allauth.mfa.models import Authenticator
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from connections.tenancy import audit
from portal.members.models import Membership, StaffRole, User
from portal.support.filters import Choices
from portal.support.looking import Editable
from portal.support.showing import NOTHING, badge, link, text, when

# What the staff's database role may change of a person at all.
CHANGEABLE = ("name", "staff_role", "is_active")
AUDITED = {"staff_role": "person.staff_role_changed", "is_active": "person.sign_in_switched"}


class StaffRoleFilter(Choices):
    title = _("staff role")
    parameter_name = column = "staff_role"
    options = tuple((role.value, role.label) for role in StaffRole if role.value)


class SignInFilter(Choices):
    title = _("sign-in")
    parameter_name = column = "is_active"
    options = ((True, _("on")), (False, _("off")))


@admin.register(User)
class PersonAdmin(Editable):
    """People come by invitation, so none is added here, and none is deleted: their name stands in audit trails."""

    list_display = ("email", "shown_name", "staff", "sign_in", "joined")
    list_filter = (StaffRoleFilter, SignInFilter)
    search_fields = ("email", "name")
    search_help_text = _("E-mail address or name.")
    ordering = ("email",)
    readonly_fields = ("email", "joined", "second_factor", "belongs")
    fields = ("email", "name", "staff_role", "is_active", "second_factor", "belongs", "joined")

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).defer("password")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is not None and obj.pk == request.user.pk:
            # Whoever locks themselves out, or lifts themselves up, does so with a second admin.
            return (*self.readonly_fields, "staff_role", "is_active")
        return self.readonly_fields

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        changed = [name for name in form.changed_data if name in CHANGEABLE]
        if not changed:
            return
        obj.save(update_fields=changed)
        for name in set(changed) & set(AUDITED):
            audit.record_system(
                actor=cast(User, request.user).actor,
                action=AUDITED[name],
                subject=obj.email,
                person=obj.pk,
                before=form.initial[name],
                after=getattr(obj, name),
            )

    @admin.display(description=_("name"))
    def shown_name(self, user: User) -> str:
        return text(user.name)

    @admin.display(description=_("staff"))
    def staff(self, user: User) -> str:
        return user.get_staff_role_display() if user.staff_role else NOTHING

    @admin.display(description=_("sign-in"))
    def sign_in(self, user: User) -> SafeString:
        return badge("active", gettext("on")) if user.is_active else badge("suspended", gettext("off"))

    @admin.display(description=_("joined"))
    def joined(self, user: User) -> SafeString | str:
        return when(user.joined_at)

    @admin.display(description=_("second factor"))
    def second_factor(self, user: User) -> SafeString:
        # Only what the staff's role may read: never the seed.
        kinds = set(Authenticator.objects.filter(user_id=user.pk).values_list("type", flat=True))
        if Authenticator.Type.TOTP in kinds:
            return badge("active", gettext("set up"))
        return badge("paused", gettext("not set up"))

    @admin.display(description=_("belongs to"))
    def belongs(self, user: User) -> SafeString | str:
        memberships = list(Membership.objects.select_related("tenant").filter(user_id=user.pk).order_by("joined_at"))
        rows = (
            (link(membership.tenant, membership.tenant_id, membership.tenant.name), membership.get_role_display())
            for membership in memberships
        )
        return format_html_join("", "<div>{} ({})</div>", rows) if memberships else NOTHING
