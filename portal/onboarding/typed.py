"""What a customer types at a checkpoint: cleaned, recognised where it is something else, and kept."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from django.utils.translation import gettext_lazy as _

from connections.spec.provider import CredentialField, Kind
from connections.spec.text import Text
from connections.tenancy.scope import Actor
from connections.vault.models import ClientRegistration, Connection, Credential
from connections.vault.secret import Secret
from connections.vault.services import exemptions_of, keep_settings, store_credential
from portal.onboarding.marks import checkpoint_of, provider_of
from portal.onboarding.models import Mark

HOST = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?:\.(?!-)[A-Za-z0-9-]{1,63})*\.?|\[[0-9A-Fa-f:.]+\]")


class BadInput(Exception):
    """What was typed cannot be right: a sentence for each field by name; none repeats what was typed."""

    def __init__(self, sentences: Mapping[str, Text]) -> None:
        super().__init__(", ".join(sentences))
        self.sentences = sentences


def keep(*, mark: Mark, typed: Mapping[str, str], actor: Actor) -> bool:
    """Store what was typed at this checkpoint, all of it or nothing. True when blanks were removed. Raises BadInput.

    A secret that is left empty keeps the stored one. Needs the tenant's scope; raises KeyUnavailable.
    """
    connection = mark.onboarding.connection
    provider = provider_of(connection)
    fields = [provider.field(name) for name in checkpoint_of(mark).fields]
    stored = set(Credential.objects.filter(connection_id=connection.id).values_list("name", flat=True))
    cleaned: dict[str, str] = {}
    wrong: dict[str, Text] = {}
    for field in fields:
        given = typed.get(field.name, "")
        if not given.strip() and ((field.secret and field.name in stored and len(fields) > 1) or field.optional):
            if not field.secret:
                cleaned[field.name] = ""
            continue
        try:
            cleaned[field.name] = clean(field, given, connection)
        except _Wrong as problem:
            wrong[field.name] = problem.sentence
    for field in fields:
        if field.secret and field.name in cleaned and field.name not in wrong:
            twins = [
                other for other in fields if other is not field and cleaned.get(other.name) == cleaned[field.name]
            ]
            if twins:
                wrong[field.name] = _("This is the same as “%(other)s”. Paste the secret that belongs to it.") % {
                    "other": twins[0].label
                }
    if wrong:
        raise BadInput(wrong)
    open_ones = {field.name: cleaned[field.name] for field in fields if not field.secret and field.name in cleaned}
    if open_ones:
        keep_settings(connection=connection, values=open_ones, actor=actor)
    for field in fields:
        if field.secret and field.name in cleaned:
            store_credential(connection=connection, name=field.name, secret=Secret(cleaned[field.name]), actor=actor)
    return any(cleaned[name] != typed.get(name, "") for name in cleaned)


class _Wrong(Exception):
    def __init__(self, sentence: Text) -> None:
        super().__init__()
        self.sentence = sentence


def clean(field: CredentialField, text: str, connection: Connection) -> str:
    """The value without blanks and quotation marks around it. Raises _Wrong for what is recognisably something else."""
    cleaned = text.strip().strip("\"'“”„").strip()
    if not cleaned:
        raise _Wrong(_("Paste the value here; the field is empty."))
    if "PRIVATE KEY-----" in cleaned:
        raise _Wrong(
            _("This is a private key, which nobody outside of its server should have. Do not send it to anybody.")
        )
    if "-----BEGIN" in cleaned:
        raise _Wrong(_("This is a certificate. We fetch the certificate ourselves; here belongs something else."))
    if field.kind is Kind.CHOICE:
        if cleaned not in [value for value, _label in field.choices]:
            raise _Wrong(_("Choose one of those offered."))
        return cleaned
    if field.kind is Kind.WORDS:
        if not cleaned.isprintable() or not field.shortest <= len(cleaned) <= field.longest:
            raise _Wrong(_("Write it in one line of ordinary characters."))
        return cleaned
    if any(character.isspace() for character in cleaned):
        raise _Wrong(_("There is a blank or a line break in the middle. Copy the value once more, all of it."))
    if field.kind is Kind.ADDRESS:
        return _address(cleaned, connection)
    if urlsplit(cleaned).scheme in ("http", "https"):
        raise _Wrong(_("This is an address. Paste the key itself."))
    if not cleaned.isascii() or not cleaned.isprintable():
        raise _Wrong(_("There are characters in it that such a value never has. Copy it once more."))
    ours = ClientRegistration.objects.filter(
        provider=connection.provider, environment=connection.environment, client_id=cleaned
    )
    if ours.exists():
        raise _Wrong(_("This is our client id. Paste the key that you received in exchange for it."))
    if not field.shortest <= len(cleaned) <= field.longest:
        raise _Wrong(_("This is too short or too long. Copy the value once more, all of it."))
    return cleaned


def _address(text: str, connection: Connection) -> str:
    """An origin, with or without a path; a blank scheme is https. Raises _Wrong."""
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        port, host = parts.port, parts.hostname or ""
    except ValueError:
        raise _Wrong(_("This is not an address. It looks like https://api.example.com.")) from None
    if parts.username or parts.password:
        raise _Wrong(_("There is a name or a password in this address. Enter the address alone.")) from None
    if parts.scheme == "http" and not exemptions_of(connection).plain_http:
        raise _Wrong(
            _(
                "This address begins with http, so everything would travel unprotected. Enter the one with https. If the "
                "provider offers none, ask our support: an admin can allow it for this connection."
            )
        )
    if parts.scheme not in ("http", "https") or not HOST.fullmatch(
        parts.netloc.rpartition("@")[2].removesuffix(f":{port}")
    ):
        raise _Wrong(_("This is not an address. It looks like https://api.example.com."))
    if parts.query or parts.fragment:
        raise _Wrong(_("Leave out what follows the question mark or the #: only the address of the server is needed."))
    if not host or ("." not in host and ":" not in host and host != "localhost"):
        raise _Wrong(_("The name of the server is not complete. It looks like https://api.example.com."))
    return text.rstrip("/") if "://" in text else f"https://{text}".rstrip("/")
