"""Sign-ins, failures and sign-outs, as allauth and Django tell of them, for the system's audit trail."""

from __future__ import annotations

from typing import Any

from allauth.account import signals as account
from allauth.account.adapter import get_adapter
from allauth.mfa import signals as mfa
from django.contrib.auth import signals as auth
from django.core.exceptions import PermissionDenied
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from connections.tenancy import audit
from connections.tenancy.scope import SYSTEM, Actor, person_scope
from portal.members.models import User

GROUPS_OF_STRANGERS = 64  # per hour, however many addresses somebody tries


@receiver(account.user_logged_in)
def signed_in(request: HttpRequest, user: User, **kwargs: Any) -> None:
    with person_scope(user.pk, user.email):  # from here on the session is theirs
        audit.record_system(
            actor=user.actor, action="session.signed_in", subject=user.email, address=network_address(request)
        )


@receiver(auth.user_logged_out)
def signed_out(request: HttpRequest | None, user: User | None, **kwargs: Any) -> None:
    if user is not None and user.pk is not None:
        with person_scope(user.pk, user.email):
            audit.record_system(actor=user.actor, action="session.signed_out", subject=user.email)


@receiver(auth.user_login_failed)
def password_failed(credentials: dict[str, Any], request: HttpRequest | None = None, **kwargs: Any) -> None:
    """A wrong password. Of an address that nobody here has nothing is kept: people type passwords there by mistake."""
    email = str(credentials.get("email") or credentials.get("username") or "").strip().lower()
    person = User.objects.filter(email=email).only("id", "email").first()
    address = network_address(request)
    if person is not None:
        _failed("session.password_failed", _acting(request), person, address)
        return
    digest = salted_hmac("portal.members.signals", address, algorithm="sha256").digest()
    group = f"stranger {digest[0] % GROUPS_OF_STRANGERS}"
    audit.record_repeated(actor=_acting(request), action="session.unknown_person", group=group, address=address)


@receiver(mfa.authentication_failed)
def second_factor_failed(request: HttpRequest, user: User, **kwargs: Any) -> None:
    _failed("session.second_factor_failed", _acting(request), user, network_address(request))


def _failed(action: str, actor: Actor, person: User, address: str) -> None:
    audit.record_repeated(
        actor=actor, action=action, group=str(person.pk), subject=person.email, person=person.pk, address=address
    )


def _acting(request: HttpRequest | None) -> Actor:
    """The person whose session asks for a password once more; at the sign-in nobody is known yet."""
    user = getattr(request, "user", None)
    return user.actor if user is not None and user.is_authenticated else SYSTEM


def network_address(request: HttpRequest | None) -> str:
    """Where a request came from, as the trusted proxies say; "" where that cannot be told."""
    if request is None:
        return ""
    try:
        return str(get_adapter(request).get_client_ip(request))
    except PermissionDenied:
        return ""
