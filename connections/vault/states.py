"""The states of a connection, those in which it can be used, and what became of its access when it was left."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class ConnectionState(models.TextChoices):
    SETUP = "setup", _("being set up")
    CONNECTED = "connected", _("connected")
    BROKEN = "broken", _("needs attention")
    PAUSED = "paused", _("paused")
    DISCONNECTED = "disconnected", _("disconnected")


STANDING = (ConnectionState.CONNECTED, ConnectionState.BROKEN)
# Set up once, and not given up since: what is found out about these counts, also while nothing is read.
STANDING_OR_PAUSED = (*STANDING, ConnectionState.PAUSED)


class Leaving(models.TextChoices):
    """What became of our access at the provider when a connection was disconnected."""

    UNDER_WAY = "under-way", _("being revoked")
    REVOKED = "revoked", _("revoked at the provider")
    NOT_OFFERED = "not-offered", _("the provider offers no way to revoke it")
    FAILED = "failed", _("could not be revoked at the provider")
    NOTHING = "nothing", _("there was nothing to revoke")
