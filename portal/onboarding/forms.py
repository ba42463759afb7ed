"""What people type on the way: the environment to connect, and what belongs to a checkpoint."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Any, cast

from django import forms
from django.utils.translation import gettext_lazy as _

from connections.providers import registry
from connections.spec.provider import CredentialField, Environment, FieldKind, Provider
from portal.onboarding.credentials import CleanCredentials, clean_credentials
from portal.onboarding.models import Mark

EXPLAINED = {
    Environment.PRODUCTION: _("Production: your company's real books."),
    Environment.TEST: _("Test server: the provider's own practice ground."),
    Environment.SANDBOX: _("Sandbox: a simulator that we run, to try everything without risk."),
}


class BeginForm(forms.Form):
    """Where and how to connect. Where there is one way there is nothing to choose."""

    environment = forms.ChoiceField(label=_("Which side do you want to connect?"), widget=forms.RadioSelect)
    auth_method = forms.ChoiceField(label=_("How do you want to connect?"), widget=forms.RadioSelect, required=False)

    def __init__(self, *args: Any, provider: Provider, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offered = registry.environments(provider)
        field = cast(forms.ChoiceField, self.fields["environment"])
        field.choices = [(environment.value, EXPLAINED[environment]) for environment in offered]
        if offered:
            field.initial = offered[0].value
        auth_methods = cast(forms.ChoiceField, self.fields["auth_method"])
        auth_methods.choices = [(grant.name, grant.label) for grant in provider.grants]
        auth_methods.initial = provider.grants[0].name
        if len(provider.grants) == 1:
            auth_methods.widget = forms.HiddenInput()


class FieldsForm(forms.Form):
    """What is typed in at one checkpoint. A secret is never written back into a page, not even after an error."""

    def __init__(
        self,
        *args: Any,
        fields: Sequence[CredentialField],
        settings: Mapping[str, str],
        stored: Container[str],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        for field in fields:
            # Beside other fields an empty secret keeps what is stored; alone there would be nothing to send.
            keeps = field.name in stored and len(fields) > 1
            self.fields[field.name] = self._form_field(field, settings.get(field.name, ""), keeps=keeps)

    @staticmethod
    def _form_field(field: CredentialField, stored_value: str, *, keeps: bool) -> forms.Field:
        attributes = {"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false", "dir": "ltr"}
        words: dict[str, Any] = {"label": field.label, "help_text": field.help, "required": False}
        if field.kind is FieldKind.CHOICE:
            return forms.ChoiceField(choices=field.choices, initial=stored_value or field.choices[0][0], **words)
        if field.secret:
            if keeps:
                words["help_text"] = _("Stored and sealed. Leave it empty to keep it.")
            widget: forms.Widget = forms.PasswordInput(attrs=attributes, render_value=False)
        elif field.kind is FieldKind.ADDRESS:
            widget = forms.TextInput(attrs={**attributes, "inputmode": "url"})
        else:
            widget = forms.TextInput(attrs=attributes)
        return forms.CharField(strip=False, max_length=20_000, widget=widget, initial=stored_value or None, **words)


class CredentialsForm(FieldsForm):
    """The fields of a checkpoint. A valid form has `credentials`, ready to be stored."""

    credentials: CleanCredentials

    def __init__(self, *args: Any, mark: Mark, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.mark = mark

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if not self.errors:
            self.credentials = clean_credentials(mark=self.mark, values=cleaned)
        return cleaned


class CompaniesForm(forms.Form):
    """Which companies of a request are connected: the ticked ones, or none where the button to decline was pressed."""

    company = forms.MultipleChoiceField(
        required=False, error_messages={"invalid_choice": _("Choose from the companies that are listed.")}
    )
    none = forms.CharField(required=False)

    def __init__(self, *args: Any, companies: Sequence[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = cast(forms.MultipleChoiceField, self.fields["company"])
        field.choices = [(company, company) for company in companies]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("none"):
            cleaned["company"] = []
        elif not cleaned.get("company") and not self.errors:
            raise forms.ValidationError(_("Choose at least one company, or decline them all."))
        return cleaned
