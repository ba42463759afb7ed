"""The states of a connection, and those in which it can be used."""

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
