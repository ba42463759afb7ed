"""The tables of this app as they were when its first migrations were put into one. Never edited: add a migration."""

from django.db import migrations, models

from connections.tenancy.row_security import TableStatements


class Migration(migrations.Migration):
    initial = True

    replaces = [
        ("rate_limits", "0001_cache_and_usage"),
        ("rate_limits", "0002_old_cache"),
    ]

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="CacheEntry",
            fields=[
                ("key", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("value", models.JSONField()),
                ("expires_at", models.DateTimeField(null=True)),
            ],
            options={
                "verbose_name": "cache entry",
                "verbose_name_plural": "cache entries",
                "indexes": [models.Index(fields=["expires_at"], name="rate_limits_cache_expiry")],
                "constraints": [
                    TableStatements(
                        name="rate_limits_cache_rights",
                        statements=['GRANT SELECT, INSERT, UPDATE, DELETE ON "{table}" TO portal_web'],
                        undo=['REVOKE ALL ON "{table}" FROM portal_web, portal_worker, portal_staff'],
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Usage",
            fields=[
                ("key", models.CharField(max_length=160, primary_key=True, serialize=False)),
                ("count", models.PositiveIntegerField()),
                ("opens_at", models.DateTimeField()),
            ],
            options={
                "verbose_name": "usage",
                "verbose_name_plural": "usages",
                "indexes": [models.Index(fields=["opens_at"], name="rate_limits_usage_expiry")],
                "constraints": [
                    TableStatements(
                        name="rate_limits_usage_rights",
                        statements=['GRANT SELECT, INSERT, UPDATE, DELETE ON "{table}" TO portal_web'],
                        undo=['REVOKE ALL ON "{table}" FROM portal_web, portal_worker, portal_staff'],
                    )
                ],
            },
        ),
    ]
