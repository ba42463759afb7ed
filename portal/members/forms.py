"""What people type about people: invitations, roles, themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from django import forms
from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from portal.members.models import User
from portal.members.permissions import ROLE_DESCRIPTIONS, Role
from portal.members.time_zones import TimeZoneField, choices


def roles_within(limit: Role) -> list[Role]:
    """What somebody with the role `limit` can give, least first."""
    return [role for role in ROLE_DESCRIPTIONS if limit.includes(role)]


class RoleForm(forms.Form):
    role = forms.ChoiceField(label=_("Role"))

    def __init__(self, *args: Any, up_to: Role, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = cast(forms.ChoiceField, self.fields["role"])
        field.choices = [(role.value, ROLE_DESCRIPTIONS[role]) for role in roles_within(up_to)]

    @property
    def selected_role(self) -> Role:
        return Role(self.cleaned_data["role"])


class InviteForm(RoleForm):
    email = forms.EmailField(
        label=_("E-mail address"), max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "off"})
    )
    field_order = ["email", "role"]


class InviteAgainForm(forms.Form):
    """The same invitation once more, to the same address or a corrected one."""

    email = forms.EmailField(
        label=_("E-mail address"), max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "off"})
    )


class NewPersonForm(forms.Form):
    """Who was invited sets a name and a password. The password is never shown again, not even after an error."""

    name = forms.CharField(
        label=_("Your name"), max_length=120, widget=forms.TextInput(attrs={"autocomplete": "name"})
    )
    password = forms.CharField(
        label=_("Password"),
        strip=False,
        max_length=200,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=format_lazy(
            _("At least {least} characters. A few words that do not belong together are good."),
            least=settings.SHORTEST_PASSWORD,
        ),
    )

    def __init__(self, *args: Any, email: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.email = email

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        password = cleaned.get("password")
        if password:
            try:
                validate_password(password, User(email=self.email, name=cleaned.get("name", "")))
            except forms.ValidationError as problem:
                self.add_error("password", problem)
        return cleaned


class YouForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=120, widget=forms.TextInput(attrs={"autocomplete": "name"}))
    time_zone = TimeZoneField(
        label=_("Time zone"), help_text=_("All times are shown in this zone; UTC appears when you point at one.")
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _keep_current(self, "time_zone")


class TenantSettingsForm(forms.Form):
    time_zone = TimeZoneField(
        label=_("Time zone of the company"),
        help_text=_("The times of day at which connections are read are those of this zone."),
    )
    contact = forms.ChoiceField(
        label=_("Contact"),
        required=False,
        help_text=_(
            "Mailed when a connection needs somebody and whoever connected it is not here any more. Without a contact,"
            " owners are."
        ),
    )

    def __init__(self, *args: Any, contacts: Sequence[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _keep_current(self, "time_zone")
        cast(forms.ChoiceField, self.fields["contact"]).choices = [("", _("nobody in particular")), *contacts]


def _keep_current(form: forms.Form, name: str) -> None:
    """The zone that was chosen stays a choice, also where it is no longer offered."""
    if current := form.initial.get(name):
        field = cast(TimeZoneField, form.fields[name])
        field.choices = [*choices(), ("", [(current, current)])]
