"""People, what they may do for a tenant, and the invitations that bring them in."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from connections.tenancy.models import TenantOwned
from connections.tenancy.row_security import Fenced, Unfenced
from connections.tenancy.scope import Actor
from portal.members.mailing import Delivery


class StaffRole(models.TextChoices):
    NONE = "", _("no staff")
    SUPPORT = "support", _("support")
    ADMIN = "admin", _("admin")


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
    staff_role = models.CharField(_("staff role"), max_length=8, choices=StaffRole.choices, blank=True)
    is_active = models.BooleanField(_("active"), default=True)
    joined_at = models.DateTimeField(_("joined at"), auto_now_add=True)
    time_zone = models.CharField(_("time zone"), max_length=60, default="Europe/Helsinki")

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = []
    objects = UserManager()

    class Meta:
        verbose_name = _("person")
        verbose_name_plural = _("people")
        constraints = [
            models.UniqueConstraint(Lower("email"), name="members_user_email_once"),
            Unfenced(
                name="members_user_rights",
                reason="a person signs in before any tenant is known and may belong to several",
                web="SELECT, INSERT, UPDATE",
                worker="SELECT (id, email, name, is_active, time_zone)",
                staff="SELECT, INSERT, UPDATE (name, staff_role, is_active)",
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.email

    @property
    def is_staff(self) -> bool:
        return bool(self.staff_role)

    @property
    def actor(self) -> Actor:
        return Actor(self.pk, self.email)

    def has_perm(self, perm: str, obj: object = None) -> bool:
        """Django's admin asks: admins may do what an admin page offers, support may look."""
        if not self.is_active or not self.staff_role:
            return False
        return self.staff_role == StaffRole.ADMIN or perm.split(".")[-1].startswith("view_")

    def has_module_perms(self, app_label: str) -> bool:
        return self.is_active and self.is_staff


class Role(models.TextChoices):
    OWNER = "owner", _("owner")
    OPERATOR = "operator", _("operator")
    VIEWER = "viewer", _("viewer")


class Membership(TenantOwned):
    """A person's right to act for a tenant."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships", verbose_name=_("person"))
    role = models.CharField(_("role"), max_length=10, choices=Role.choices)
    joined_at = models.DateTimeField(_("joined at"), auto_now_add=True)

    class Meta:
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        ordering = ["joined_at"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "user"], name="members_membership_once"),
            Fenced(
                name="members_membership_fence",
                web="SELECT, INSERT, UPDATE (role), DELETE",
                worker="SELECT",
                staff="SELECT, INSERT, UPDATE (role), DELETE",
                person="user_id",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.role}"


class Invitation(TenantOwned):
    """A single-use link to one address for one role. Only the SHA-256 of its secret is kept."""

    email = models.EmailField(_("e-mail address"))
    role = models.CharField(_("role"), max_length=10, choices=Role.choices)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    invited_by = models.CharField(_("invited by"), max_length=254)
    created_at = models.DateTimeField(_("sent at"), auto_now_add=True)
    expires_at = models.DateTimeField(_("valid until"))
    accepted_at = models.DateTimeField(_("accepted at"), null=True, editable=False)
    revoked_at = models.DateTimeField(_("revoked at"), null=True, editable=False)
    delivery: Delivery | None = None  # what became of its mail, set where a page shows it; no field

    class Meta:
        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")
        ordering = ["-created_at"]
        constraints = [
            Fenced(
                name="members_invitation_fence",
                web="SELECT, INSERT, UPDATE (accepted_at, revoked_at)",
                worker="SELECT",
                staff="SELECT, INSERT, UPDATE (revoked_at)",
            )
        ]

    def __str__(self) -> str:
        return self.email
