"""Our own client id and secret at each provider environment. The secret goes in and never comes out."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from connections.providers import registry
from connections.spec.grants import ClientOwner
from connections.vault.fields import sealed_columns
from connections.vault.keys import SYSTEM_OWNER, KeyUnavailable, newest_public
from connections.vault.models import ClientRegistration
from connections.vault.secret import Secret
from connections.vault.services import register_client
from portal.members.statuses import status
from portal.onboarding.logins import callback_address
from portal.support.formatting import badge, place, when
from portal.support.read_only_admin import Editable, RowForm

NO_KEYS = _("The system's keys are not made yet, so no secret can be stored. Start a worker, then try again.")


class RegistrationForm(RowForm):
    """What a person types. An empty secret keeps the stored one."""

    place = forms.ChoiceField(label=_("Provider and environment"))
    client_secret = forms.CharField(
        label=_("New client secret"),
        required=False,
        strip=True,
        max_length=4000,
        # Never given back to the browser, not even after a mistake in another field.
        widget=forms.PasswordInput(render_value=False, attrs={"autocomplete": "off", "class": "vTextField"}),
    )
    redirect_uri = forms.URLField(
        label=_("Redirect address"),
        required=False,
        assume_scheme="https",
        help_text=_("Exactly as registered at the provider. Leave empty if none was registered."),
        widget=forms.URLInput(attrs={"class": "vURLField"}),
    )

    activation_link = forms.URLField(
        label=_("Activation link"),
        required=False,
        assume_scheme="https",
        max_length=500,
        help_text=_(
            "Where customers choose several companies at once, as the provider told us. Members are shown it where they begin."
        ),
        widget=forms.URLInput(attrs={"class": "vURLField"}),
    )

    class Meta:
        model = ClientRegistration
        fields = ("client_id", "redirect_uri", "activation_link", "api_version")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        secret = self.fields["client_secret"]
        if self.instance.key_version:
            secret.help_text = _("Stored. Leave empty to keep it; what you type replaces it.")
        else:
            secret.help_text = _("Sealed as soon as you save; nobody can read it here again.")
        if "place" not in self.fields:
            return
        self.fields["place"].choices = [("", "---------"), *free_places()]  # type: ignore[attr-defined]

    def clean_client_id(self) -> str:
        return str(self.cleaned_data["client_id"]).strip()

    def clean_activation_link(self) -> str:
        """Customers are sent there, so it is an address on the web, and protected but for simulators."""
        link = str(self.cleaned_data["activation_link"]).strip()
        if link and not link.startswith("https://") and not settings.DEMO:
            raise forms.ValidationError(_("Enter an address that begins with https."))
        if link and not link.startswith(("https://", "http://")):
            raise forms.ValidationError(_("Enter an address that begins with https."))
        return link

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("client_secret"):
            try:
                newest_public(SYSTEM_OWNER)
            except KeyUnavailable:
                self.add_error("client_secret", NO_KEYS)
        return cleaned


class ChangeForm(RegistrationForm):
    """A registration stays where it is: its sealed secret is bound to its row."""

    place = None  # type: ignore[assignment]  # Django's way to leave a declared field out


def free_places() -> list[tuple[str, str]]:
    """Every provider environment of the registry that has no registration yet."""
    registered = set(ClientRegistration.objects.values_list("provider", "environment"))
    return [
        (f"{provider.slug}|{side.value}", place(provider.slug, side.value))
        for provider in registry.all_providers().values()
        for side in registry.environments(provider)
        if (provider.slug, side.value) not in registered
    ]


def addresses(slug: str, environment: str) -> list[tuple[str, str]]:
    """What must be registered at this provider environment, each with what it is for."""
    provider = registry.find(slug)
    if provider is None:
        return []
    name = provider.name
    lines = [(gettext("%(name)s, after a sign-in:") % {"name": name}, callback_address(slug))]
    if provider.activation is not None:
        address = settings.ORIGIN + reverse("activation_arrived", args=[slug, environment])
        words = {"where": place(slug, environment)}
        lines.append((gettext("%(where)s, after companies were chosen:") % words, address))
    return lines


def is_needed(slug: str) -> bool:
    """Whether this provider knows us by a secret of our own, for one of its ways to connect at least."""
    provider = registry.find(slug)
    if provider is None:
        return False
    ours = any(grant.client is ClientOwner.OURS for grant in provider.grants)
    return ours or bool(provider.logins) or provider.activation is not None


@admin.register(ClientRegistration)
class ClientRegistrationAdmin(Editable):
    """Admins write, support look; the staff's role itself cannot read the sealed secret.

    Nothing is deleted: every customer of that provider would lose their connection.
    """

    form = ChangeForm
    list_display = ("where", "client_id", "secret", "changed")
    search_fields = ("client_id",)
    search_help_text = _("Client id or redirect address.")
    paged_by = "provider"

    def get_queryset(self, request: HttpRequest) -> QuerySet[ClientRegistration]:
        return super().get_queryset(request).defer(*sealed_columns(ClientRegistration))

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        kwargs["form"] = self.form if change else RegistrationForm
        return super().get_form(request, obj, change=change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        typed = ("redirect_uri", "callbacks", "activation_link", "api_version")
        if obj is None:
            return ("place", "client_id", "client_secret", *typed)
        rest = (*typed, "changed")
        if not self.has_change_permission(request, obj):
            return ("where", "client_id", "secret", *rest)
        return ("where", "client_id", "secret", "client_secret", *rest)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("callbacks",) if obj is None else ("where", "secret", "callbacks", "changed")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and bool(free_places())

    def save_model(self, request: HttpRequest, obj: ClientRegistration, form: Any, change: bool) -> None:
        if not change:
            obj.provider, obj.environment = form.cleaned_data["place"].split("|")
        typed = form.cleaned_data.get("client_secret")
        obj.pk = register_client(
            provider=obj.provider,
            environment=obj.environment,
            client_id=obj.client_id,
            client_secret=Secret(typed) if typed else None,
            redirect_uri=obj.redirect_uri,
            activation_link=obj.activation_link,
            api_version=obj.api_version,
            registration_id=obj.pk if change else None,
        )

    @admin.display(description=_("where"))
    def where(self, registration: ClientRegistration) -> str:
        return place(registration.provider, registration.environment)

    @admin.display(description=_("addresses to register there"))
    def callbacks(self, registration: ClientRegistration) -> SafeString:
        """Of this provider, or of every one that is still free while nothing is chosen."""
        places = [(registration.provider, registration.environment)]
        if not registration.provider:
            places = [tuple(key.split("|")) for key, _name in free_places()]  # type: ignore[misc]
        lines = [line for slug, side in places for line in addresses(slug, side)]
        return format_html_join("", '<div class="address">{} <code dir="ltr">{}</code></div>', dict.fromkeys(lines))

    @admin.display(description=_("client secret"))
    def secret(self, registration: ClientRegistration) -> SafeString:
        if not registration.key_version:
            return badge(status("registration_secret", "missing" if is_needed(registration.provider) else "absent"))
        ends = gettext("stored, ends with %(hint)s") % {"hint": registration.secret_hint}
        return badge(status("registration_secret", "stored"), ends if registration.secret_hint else "")

    @admin.display(description=_("changed"))
    def changed(self, registration: ClientRegistration) -> SafeString | str:
        return when(registration.changed_at)
