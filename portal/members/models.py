"""People, what they may do for a tenant, and the invitations that bring them in."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models.functions import Lower
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _

from connections.tenancy.models import Tenant, TenantOwned
from connections.tenancy.row_security import NoRowSecurity, RowSecurity
from connections.tenancy.scope import Actor
from portal.members.mailing import Delivery
from portal.members.permissions import Action, Role, StaffAction, StaffRole

# What the database itself writes as the password of a person who has set none.
NO_PASSWORD = "!"  # noqa: S105


class UserManager(BaseUserManager["User"]):
    """Users are made by their e-mail address, kept in lower case."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email=(username or "").strip().lower())


class User(AbstractBaseUser):
    """A person who signs in with an e-mail address. Staff have a role of ours; memberships give rights in tenants."""

    email = models.EmailField(_("e-mail address"), unique=True)
    name = models.CharField(_("name"), max_length=120, blank=True)
    staff_role = models.CharField(
        _("staff role"), max_length=8, choices=StaffRole.choices, blank=True, default="", db_default=""
    )
    is_active = models.BooleanField(_("active"), default=True)
    joined_at = models.DateTimeField(_("joined at"), auto_now_add=True)
    time_zone = models.CharField(_("time zone"), max_length=60, default="Europe/Helsinki")
    # Every session carries the number it was opened under; one more ends them all, for good.
    session_epoch = models.PositiveIntegerField(default=0, db_default=0, editable=False)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = []
    objects = UserManager()

    class Meta:
        verbose_name = _("person")
        verbose_name_plural = _("people")
        constraints = [
            models.UniqueConstraint(Lower("email"), name="members_user_email_once"),
            NoRowSecurity(
                name="members_user_rights",
                reason="a person signs in before any tenant is known and may belong to several",
                web="SELECT, INSERT (email, name, password, is_active, joined_at, time_zone, last_login, session_epoch),"
                " UPDATE (email, name, password, time_zone, last_login, session_epoch)",
                worker="SELECT (id, email, name, staff_role, is_active, time_zone)",
                staff="SELECT (id, email, name, staff_role, is_active, joined_at, time_zone, last_login, session_epoch),"
                " INSERT (email, name, staff_role, is_active, joined_at, time_zone, last_login, session_epoch),"
                " UPDATE (name, staff_role, is_active, session_epoch)",
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.email

    def _do_insert(self, manager: Any, using: Any, fields: Iterable[Any], *args: Any) -> Any:
        # The web has no right on the staff role's column and staff none on the password's, not even to name it in an
        # INSERT: what is empty is left to the column's default.
        left_out = {name for name, is_empty in self._empty().items() if is_empty}
        return super()._do_insert(manager, using, [f for f in fields if f.name not in left_out], *args)  # type: ignore[misc]

    def _empty(self) -> dict[str, bool]:
        return {"staff_role": not self.staff_role, "password": self.password == NO_PASSWORD}

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """Django's, and the epoch: what ended every session of a person once is not undone by a change back."""
        if not self.session_epoch:
            return super()._get_session_auth_hash(secret=secret)  # type: ignore[misc]
        value = f"{self.session_epoch}|{self.password}"
        return salted_hmac("portal.members.session", value, secret=secret, algorithm="sha256").hexdigest()

    @property
    def is_staff(self) -> bool:
        return bool(self.staff_role)

    @property
    def actor(self) -> Actor:
        return Actor(self.pk, self.email)

    def has_perm(self, perm: str, obj: object = None) -> bool:
        """Django's admin asks: admins may do what an admin page offers, support may look."""
        is_look = perm.split(".")[-1].startswith("view_")
        return self.is_active and self.can(StaffAction.VIEW if is_look else StaffAction.CHANGE)

    def can(self, action: StaffAction) -> bool:
        """Whether the staff role allows this; what somebody may do in a tenant says their membership."""
        return StaffRole(self.staff_role).can(action)

    def has_module_perms(self, app_label: str) -> bool:
        return self.is_active and self.is_staff


class Membership(TenantOwned):
    """A person's right to act for a tenant."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships", verbose_name=_("person"))
    role = models.CharField(_("role"), max_length=10, choices=Role.choices)
    joined_at = models.DateTimeField(_("joined at"), auto_now_add=True)
    is_unreachable = False  # whether the newest mail to them did not arrive; set where a page shows it, no field

    class Meta:
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        ordering = ["joined_at"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "user"], name="members_membership_once"),
            RowSecurity(
                name="members_membership_fence",
                web="SELECT, INSERT, UPDATE (role), DELETE",
                worker="SELECT",
                staff="SELECT, INSERT, UPDATE (role), DELETE",
                person="user_id",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.role}"

    def can(self, action: Action) -> bool:
        """Whether the role allows this (portal.members.permissions)."""
        return Role(self.role).can(action)


class TenantContact(TenantOwned):
    """The member who is told what goes wrong where whoever connected it cannot be. A tenant that has chosen nobody has no row."""

    tenant = models.OneToOneField(Tenant, on_delete=models.CASCADE, related_name="+", editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+", verbose_name=_("person"))

    class Meta:
        verbose_name = _("contact of a tenant")
        verbose_name_plural = _("contacts of tenants")
        constraints = [
            RowSecurity(
                name="members_contact_fence",
                web="SELECT, INSERT, UPDATE (user_id), DELETE",
                worker="SELECT",
                staff="SELECT",
                is_target=False,
            )
        ]

    def __str__(self) -> str:
        return f"{self.user_id}"


class Invitation(TenantOwned):
    """A single-use link to one address for one role. Only the SHA-256 of its secret is kept."""

    email = models.EmailField(_("e-mail address"))
    role = models.CharField(_("role"), max_length=10, choices=Role.choices)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    # None: the portal itself. The name beside it is what was shown then; rights hang on the person.
    inviter = models.ForeignKey(User, on_delete=models.CASCADE, null=True, related_name="+", editable=False)
    invited_by = models.CharField(_("invited by"), max_length=254)
    created_at = models.DateTimeField(_("sent at"), auto_now_add=True)
    expires_at = models.DateTimeField(_("valid until"))
    accepted_at = models.DateTimeField(_("accepted at"), null=True, editable=False)
    revoked_at = models.DateTimeField(_("revoked at"), null=True, editable=False)
    # Set where a page shows them, no fields: what became of its mail, and the form that sends it again.
    delivery: Delivery | None = None
    again: Any = None

    class Meta:
        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")
        indexes = [models.Index(fields=["email"], name="members_invitation_email")]
        ordering = ["-created_at"]
        constraints = [
            RowSecurity(
                name="members_invitation_fence",
                web="SELECT, INSERT, UPDATE (accepted_at, revoked_at)",
                worker="SELECT",
                staff="SELECT, INSERT, UPDATE (revoked_at)",
            )
        ]

    def __str__(self) -> str:
        return self.email


class EnrolmentLink(models.Model):
    """A single-use link by which one staff person sets up a second factor. Only the SHA-256 of its secret is kept."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+", verbose_name=_("person"))
    digest = models.CharField(max_length=64, unique=True, editable=False)
    # None: the command at the machine itself.
    made_by = models.ForeignKey(User, on_delete=models.CASCADE, null=True, related_name="+", verbose_name=_("made by"))
    created_at = models.DateTimeField(_("made at"), auto_now_add=True)
    expires_at = models.DateTimeField(_("valid until"))
    used_at = models.DateTimeField(_("used at"), null=True, editable=False)
    revoked_at = models.DateTimeField(_("revoked at"), null=True, editable=False)

    class Meta:
        verbose_name = _("link for a second factor")
        verbose_name_plural = _("links for second factors")
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(made_by=None) | ~models.Q(made_by=models.F("user")),
                name="members_enrolment_by_another",
            ),
            NoRowSecurity(
                name="members_enrolment_rights",
                reason="staff belong to no tenant; the web may use a link up and never make one",
                web="SELECT, UPDATE (used_at)",
                staff="SELECT, INSERT, UPDATE (revoked_at)",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.created_at:%Y-%m-%d}"


class LegacySeed(models.Model):
    """A second factor's secret from before secrets were bound to person and row. The migration alone writes the list.

    What stands here, in that row, of that person, may be opened unbound once more, to be sealed anew.
    """

    authenticator_id = models.BigIntegerField()
    user_id = models.BigIntegerField()
    digest = models.CharField(max_length=64, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["authenticator_id", "digest"], name="members_legacy_seed_once"),
            NoRowSecurity(
                name="members_legacy_seed_rights",
                reason="a second factor belongs to a person, not to a tenant; the web may take away and never add",
                web="SELECT, DELETE",
            ),
        ]

    def __str__(self) -> str:
        return str(self.authenticator_id)
