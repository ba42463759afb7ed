"""What people type on the way: the environment to connect, and a credential."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.utils.translation import gettext_lazy as _

from connections.providers import registry
from connections.spec.provider import CredentialField, Environment, Provider

EXPLAINED = {
    Environment.PRODUCTION: _("Production: your company's real books."),
    Environment.TEST: _("Test server: the provider's own practice ground."),
    Environment.SANDBOX: _("Sandbox: a simulator that we run, to try everything without risk."),
}


class BeginForm(forms.Form):
    """Where to connect. With one environment there is nothing to choose."""

    environment = forms.ChoiceField(label=_("Which side do you want to connect?"), widget=forms.RadioSelect)

    def __init__(self, *args: Any, provider: Provider, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offered = registry.environments(provider)
        field = cast(forms.ChoiceField, self.fields["environment"])
        field.choices = [(environment.value, EXPLAINED[environment]) for environment in offered]
        if offered:
            field.initial = offered[0].value


class CredentialForm(forms.Form):
    """One credential. It is never written back into a page, not even after an error."""

    text = forms.CharField(required=False, strip=False, max_length=20_000)

    def __init__(self, *args: Any, credential: CredentialField, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["text"]
        attributes = {"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false", "dir": "ltr"}
        if credential.secret:
            field.widget = forms.PasswordInput(attrs=attributes, render_value=False)
        else:
            field.widget = forms.TextInput(attrs=attributes)
        field.label = str(credential.label)
        field.help_text = str(credential.help)
