"""Invented people and two tenants to try the portal with, and our registration at the simulators."""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from allauth.account.models import EmailAddress
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import transaction

from connections.providers import registry
from connections.spec.provider import Environment
from connections.tenancy import audit
from connections.tenancy.models import Tenant
from connections.tenancy.scope import SYSTEM, tenant_scope
from connections.vault.key_models import SystemKey
from connections.vault.secret import Secret
from connections.vault.services import create_tenant, register_client
from portal.members.models import Membership, User
from portal.members.permissions import Role, StaffRole

SYSTEM_KEY_WAIT_SECONDS = 30.0  # until a worker has made it
TENANTS = {"aamu": "Aamu Oy", "kaste": "Kaste Oy"}


class DemoDataError(Exception):
    """The demo data cannot be made; the text says why in one line."""


@dataclass(frozen=True)
class DemoPerson:
    """Nobody real: the addresses end in a domain that cannot exist (RFC 2606)."""

    email: str
    name: str
    description: str
    tenant: str = ""
    role: str = ""
    staff_role: str = ""


PEOPLE = (
    DemoPerson("aino@aamu.example", "Aino Aalto", "owner of Aamu Oy", "aamu", Role.OWNER),
    DemoPerson("onni@aamu.example", "Onni Ojala", "operator of Aamu Oy", "aamu", Role.OPERATOR),
    DemoPerson("viivi@aamu.example", "Viivi Virta", "viewer of Aamu Oy", "aamu", Role.VIEWER),
    DemoPerson("kerttu@kaste.example", "Kerttu Koski", "owner of Kaste Oy", "kaste", Role.OWNER),
    DemoPerson("sanna@pilotage.example", "Sanna Salo", "staff, support", staff_role=StaffRole.SUPPORT),
    DemoPerson("arvo@pilotage.example", "Arvo Ahti", "staff, admin", staff_role=StaffRole.ADMIN),
)


def create_demo_data(*, sandbox: Path | None) -> Path:
    """Make what is missing and return the file with the sign-ins. Safe to run again: passwords stay.

    `sandbox` is the simulators' addresses.json. Raises DemoDataError.
    """
    if not settings.DEMO:
        text = "demo data is for PORTAL_MODE=demo only."
        raise DemoDataError(text)
    clients = _clients(sandbox) if sandbox else {}
    notes = settings.VAR_DIR / "demo.json"
    password = _noted_password(notes) or "-".join(secrets.token_hex(3) for _ in range(3))
    hashed = make_password(password)  # once: it takes a third of a second, and is everybody's
    with transaction.atomic():
        tenants = {slug: _tenant(slug, name) for slug, name in TENANTS.items()}
        for person in PEOPLE:
            _person(person, password, hashed, tenants)
    if clients:
        _wait_until(SystemKey.objects.exists, "no worker has made the system key; start one beside this command")
        with transaction.atomic():
            for slug, client in clients.items():
                if client:  # elsewhere the customer's own client is used
                    _register(slug, client)
    _write(notes, password)
    return notes


def _tenant(slug: str, name: str) -> Tenant:
    return Tenant.objects.filter(slug=slug).first() or create_tenant(name=name, slug=slug)


def _person(person: DemoPerson, password: str, hashed: str, tenants: dict[str, Tenant]) -> None:
    user = User.objects.filter(email=person.email).first()
    if user is None:
        user = User(email=person.email, password=hashed, name=person.name, staff_role=person.staff_role)
        user.save()
    elif not user.check_password(password):
        # The note with the old password is gone; nobody could sign in any more.
        user.password = hashed
        user.save(update_fields=["password"])
    EmailAddress.objects.get_or_create(user=user, email=person.email, defaults={"verified": True, "primary": True})
    if not person.tenant:
        return
    tenant = tenants[person.tenant]
    with tenant_scope(tenant.id):
        if not Membership.objects.filter(tenant=tenant, user=user).exists():
            Membership(tenant=tenant, user=user, role=person.role).save(force_insert=True)
            audit.record(
                tenant_id=tenant.id,
                actor=SYSTEM,
                action="member.invented",
                subject=str(user.pk),
                email=user.email,
                role=str(person.role),
            )


def _clients(sandbox: Path) -> dict[str, dict[str, str]]:
    try:
        addresses = json.loads(sandbox.read_text(encoding="utf-8"))
        clients = {
            slug: dict(client) for slug, client in addresses["clients"].items() if registry.find(slug) is not None
        }
        for slug, client in clients.items():
            if path := client.pop("activation_path", ""):
                client["activation_link"] = addresses["hosts"][slug]["authorize"] + path
        return clients
    except OSError as error:
        text = f"{sandbox} cannot be read ({error.strerror}); the sandbox writes it when it listens."
        raise DemoDataError(text) from None
    except (ValueError, KeyError, AttributeError, TypeError):
        text = f"{sandbox} is not a file of the sandbox."
        raise DemoDataError(text) from None


def _register(slug: str, client: dict[str, str]) -> None:
    register_client(
        provider=slug,
        environment=Environment.SANDBOX.value,
        client_id=client["client_id"],
        client_secret=Secret(client["client_secret"]),
        redirect_uri=client.get("redirect_uri", ""),
        activation_link=client.get("activation_link", ""),
    )


def _wait_until(is_reached: Callable[[], bool], message: str) -> None:
    deadline = time.monotonic() + SYSTEM_KEY_WAIT_SECONDS
    while not is_reached():
        if time.monotonic() > deadline:
            raise DemoDataError(message)
        time.sleep(0.2)


def _noted_password(notes: Path) -> str:
    try:
        noted: dict[str, Any] = json.loads(notes.read_text(encoding="utf-8"))
        return str(noted["sign_ins"][0]["password"])
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        return ""


def _write(notes: Path, password: str) -> None:
    """Only its owner may read it, from its first byte on."""
    sign_ins = [{"email": person.email, "password": password, "what": person.description} for person in PEOPLE]
    draft = notes.with_name(f".{notes.name}.{secrets.token_hex(4)}")
    notes.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump({"portal": settings.ORIGIN, "sign_ins": sign_ins}, file, indent=2)
    draft.replace(notes)
