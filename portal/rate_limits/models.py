"""What has been counted, and the cache's entries. Both lose only rows whose time is over."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from connections.tenancy.row_security import NoRowSecurity

RIGHTS = "SELECT, INSERT, UPDATE, DELETE"


class CacheEntry(models.Model):
    """One value of Django's cache, as JSON. The key is a keyed SHA-256: what it is made of may be an address or a code."""

    key = models.CharField(primary_key=True, max_length=64)
    value = models.JSONField()
    expires_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("cache entry")
        verbose_name_plural = _("cache entries")
        indexes = [models.Index(fields=["expires_at"], name="rate_limits_cache_expiry")]
        constraints = [
            NoRowSecurity(
                name="rate_limits_cache_rights",
                reason="people sign in before a tenant is known; counts and marks of their tries, no tenant's rows",
                web=RIGHTS,
            )
        ]

    def __str__(self) -> str:
        return self.key


class Usage(models.Model):
    """How often one limit was used by one person, tenant, address ... since its span began."""

    key = models.CharField(primary_key=True, max_length=160)
    count = models.PositiveIntegerField()
    opens_at = models.DateTimeField()

    class Meta:
        verbose_name = _("usage")
        verbose_name_plural = _("usages")
        indexes = [models.Index(fields=["opens_at"], name="rate_limits_usage_expiry")]
        constraints = [
            NoRowSecurity(
                name="rate_limits_usage_rights",
                reason="counts of what people, addresses and everybody together did; a limit holds across tenants",
                web=RIGHTS,
            )
        ]

    def __str__(self) -> str:
        return self.key
