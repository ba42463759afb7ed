"""What a customer types at a checkpoint: validated, recognised where it is something else, and stored."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from connections.spec.provider import CredentialField, FieldKind
from connections.spec.text import Text
from connections.tenancy.scope import Actor
from connections.vault.models import ClientRegistration, Connection, ConnectionState, Credential
from connections.vault.secret import Secret
from connections.vault.services import destroy_secrets, exemptions_of, store_credential, store_settings
from portal.onboarding.marks import checkpoint_of, provider_of
from portal.onboarding.models import Mark
from portal.onboarding.paste_cleanup import INVISIBLE, JOINERS, MoreThanValue, OtherField, clean_paste

HOST = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?:\.(?!-)[A-Za-z0-9-]{1,63})*\.?|\[[0-9A-Fa-f:.]+\]")


NO_JOINERS = str.maketrans("", "", JOINERS)

MOVE = _(
    "The address of a server that has been connected is not changed here: on the page of the connection, an owner can "
    "press “Move the server”."
)
AGAIN = _(
    "Enter it once more: the address has changed, and what is stored was given for the server before, so it is not sent to "
    "another one."
)


def address_fields(connection: Connection) -> list[CredentialField]:
    """What the customer types to say where the provider is; empty where the addresses are code."""
    return [field for field in provider_of(connection).credentials if field.kind is FieldKind.ADDRESS]


@dataclass(frozen=True)
class CleanCredentials:
    """What was typed at a checkpoint, validated and not stored yet."""

    mark: Mark
    open_values: Mapping[str, str]
    secrets: Mapping[str, Secret]
    left_out: tuple[Text, ...]  # what stood around the values and was no part of them
    changes_access: bool  # what opens the connection becomes something else: a secret, a client id, an address
    moves_server: bool  # an address leads to another server than before

    @property
    def connection(self) -> Connection:
        return self.mark.onboarding.connection


def clean_credentials(*, mark: Mark, values: Mapping[str, str]) -> CleanCredentials:
    """Validate what was typed at this checkpoint, all of it or nothing; nothing is stored.

    Raises ValidationError with a sentence for each field by name; none repeats what was typed. A secret that is left empty
    keeps the stored one. Needs the tenant's scope.
    """
    connection = mark.onboarding.connection
    provider = provider_of(connection)
    fields = [provider.field(name) for name in checkpoint_of(mark).fields]
    stored = set(Credential.objects.for_connection(connection).values_list("name", flat=True))
    cleaned: dict[str, str] = {}
    errors: dict[str, ValidationError | Text] = {}
    left_out: list[Text] = []
    for field in fields:
        value = values.get(field.name, "")
        if not INVISIBLE.sub("", value).strip() and (
            (field.secret and field.name in stored and len(fields) > 1) or field.optional
        ):
            if not field.secret:
                cleaned[field.name] = ""
            continue
        try:
            cleaned[field.name] = clean_value(field, value, connection)
        except ValidationError as error:
            errors[field.name] = error
        else:
            left_out += clean_paste(field, value, provider.credentials).left_out
    for field in fields:
        if field.secret and field.name in cleaned and field.name not in errors:
            twins = [
                other for other in fields if other is not field and cleaned.get(other.name) == cleaned[field.name]
            ]
            if twins:
                errors[field.name] = _("This is the same as “%(other)s”. Paste the secret that belongs to it.") % {
                    "other": twins[0].label
                }
    open_values = {field.name: cleaned[field.name] for field in fields if not field.secret and field.name in cleaned}
    changed = {name for name, value in open_values.items() if value != connection.settings.get(name, "")}
    addresses = {field.name for field in fields if field.kind is FieldKind.ADDRESS}
    after = {**connection.settings, **open_values}
    moves_server = provider.typed_origins(after) != provider.typed_origins(connection.settings)
    if connection.state != ConnectionState.SETUP:
        errors |= dict.fromkeys((addresses & changed) - set(errors), MOVE)
    elif moves_server and stored:
        # What is stored was given for the server that was named before, and is never sent to another one.
        missing = [
            field.name for field in fields if field.secret and field.name in stored and field.name not in cleaned
        ]
        errors |= dict.fromkeys(set(missing) - set(errors), AGAIN)
    if errors:
        raise ValidationError(errors)
    secrets = {field.name: Secret(cleaned[field.name]) for field in fields if field.secret and field.name in cleaned}
    identifying = {field.name for field in fields if field.kind in (FieldKind.TEXT, FieldKind.ADDRESS)}
    return CleanCredentials(
        mark,
        open_values,
        secrets,
        left_out=tuple(dict.fromkeys(left_out)),
        changes_access=bool(secrets or changed & identifying),
        moves_server=moves_server,
    )


def save_values(*, credentials: CleanCredentials, actor: Actor) -> None:
    """Store the values, the secrets sealed. Needs the tenant's scope; raises KeyUnavailable."""
    connection = credentials.connection
    if credentials.moves_server:
        destroy_secrets(connection=connection, keep=credentials.secrets)
    if credentials.open_values:
        store_settings(connection=connection, values=dict(credentials.open_values), actor=actor)
    for name, secret in credentials.secrets.items():
        store_credential(connection=connection, name=name, secret=secret, actor=actor)


def clean_value(field: CredentialField, text: str, connection: Connection) -> str:
    """The value without what pasting brought along. Raises ValidationError for what is recognisably something else."""
    try:
        cleaned = clean_paste(field, text, provider_of(connection).credentials).value
    except OtherField as other:
        raise ValidationError(
            _("By the name in front of it this is “%(other)s”. Paste it there, and here what belongs here.")
            % {"other": other.label}
        ) from None
    except MoreThanValue:
        raise ValidationError(_("This is a whole piece of JSON. Paste only the value for this field.")) from None
    if not cleaned:
        raise ValidationError(_("Paste the value here; the field is empty."))
    if "PRIVATE KEY-----" in cleaned:
        raise ValidationError(
            _("This is a private key, which nobody outside of its server should have. Do not send it to anybody.")
        )
    if "-----BEGIN" in cleaned:
        raise ValidationError(
            _("This is a certificate. We fetch the certificate ourselves; here belongs something else.")
        )
    if field.kind is FieldKind.CHOICE:
        if cleaned not in [value for value, _label in field.choices]:
            raise ValidationError(_("Choose one of those offered."))
        return cleaned
    if field.kind is FieldKind.WORDS:
        if not cleaned.translate(NO_JOINERS).isprintable() or not field.shortest <= len(cleaned) <= field.longest:
            raise ValidationError(_("Write it in one line of ordinary characters."))
        return cleaned
    if any(character.isspace() for character in cleaned):
        raise ValidationError(
            _("There is a blank or a line break in the middle. Copy the value once more, all of it.")
        )
    if field.kind is FieldKind.ADDRESS:
        return _address(cleaned, connection)
    if urlsplit(cleaned).scheme in ("http", "https"):
        raise ValidationError(_("This is an address. Paste the key itself."))
    if not cleaned.isascii() or not cleaned.isprintable():
        raise ValidationError(_("There are characters in it that such a value never has. Copy it once more."))
    ours = ClientRegistration.objects.filter(
        provider=connection.provider, environment=connection.environment, client_id=cleaned
    )
    if ours.exists():
        raise ValidationError(_("This is our client id. Paste the key that you received in exchange for it."))
    if not field.shortest <= len(cleaned) <= field.longest:
        raise ValidationError(_("This is too short or too long. Copy the value once more, all of it."))
    return cleaned


def _address(text: str, connection: Connection) -> str:
    """An origin, with or without a path; a blank scheme is https. Raises ValidationError."""
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        port, host = parts.port, parts.hostname or ""
    except ValueError:
        raise ValidationError(_("This is not an address. It looks like https://api.example.com.")) from None
    if parts.username or parts.password:
        raise ValidationError(_("There is a name or a password in this address. Enter the address alone.")) from None
    if parts.scheme == "http" and not exemptions_of(connection).plain_http:
        raise ValidationError(
            _(
                "This address begins with http, so everything would travel unprotected. Enter the one with https. If the "
                "provider offers none, ask our support: an admin can allow it for this connection."
            )
        )
    if parts.scheme not in ("http", "https") or not HOST.fullmatch(
        parts.netloc.rpartition("@")[2].removesuffix(f":{port}")
    ):
        raise ValidationError(_("This is not an address. It looks like https://api.example.com."))
    if parts.query or parts.fragment:
        raise ValidationError(
            _("Leave out what follows the question mark or the #: only the address of the server is needed.")
        )
    if not host or ("." not in host and ":" not in host and host != "localhost"):
        raise ValidationError(_("The name of the server is not complete. It looks like https://api.example.com."))
    return text.rstrip("/") if "://" in text else f"https://{text}".rstrip("/")
