"""Reports of how a provider's certification is kept."""

import uuid

from django.db import migrations, models

from connections.tenancy.row_security import TableStatements


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="CertificationReport",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("provider", models.CharField(max_length=40, verbose_name="provider")),
                (
                    "environment",
                    models.CharField(
                        choices=[("production", "production"), ("test", "test server"), ("sandbox", "sandbox")],
                        max_length=12,
                        verbose_name="environment",
                    ),
                ),
                ("first_day", models.DateField(verbose_name="first day")),
                ("last_day", models.DateField(verbose_name="last day")),
                (
                    "asked_by",
                    models.CharField(
                        db_default=models.Func(
                            output_field=models.CharField(),
                            template="coalesce(NULLIF(current_setting('portal.user_name', true), ''), 'person ' || NULLIF(current_setting('portal.user_id', true), ''), 'Pilotage')",
                        ),
                        max_length=254,
                        verbose_name="asked by",
                    ),
                ),
                (
                    "asked_at",
                    models.DateTimeField(
                        db_default=models.Func(output_field=models.DateTimeField(), template="clock_timestamp()"),
                        verbose_name="asked at",
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[("asked", "being computed"), ("computed", "computed"), ("failed", "not computed")],
                        db_default="asked",
                        default="asked",
                        max_length=12,
                        verbose_name="state",
                    ),
                ),
                ("content", models.TextField(db_default="", verbose_name="content")),
                ("digest", models.CharField(db_default="", max_length=64, verbose_name="SHA-256")),
                ("computed_at", models.DateTimeField(null=True, verbose_name="computed at")),
                ("again_asked_at", models.DateTimeField(null=True, verbose_name="asked to be computed again at")),
                ("again_at", models.DateTimeField(null=True, verbose_name="computed again at")),
                (
                    "again_digest",
                    models.CharField(db_default="", max_length=64, verbose_name="SHA-256 of the second time"),
                ),
            ],
            options={
                "verbose_name": "certification report",
                "verbose_name_plural": "certification reports",
                "ordering": ["-asked_at", "-id"],
                "indexes": [models.Index(fields=["-asked_at", "-id"], name="certification_report_newest")],
                "constraints": [
                    TableStatements(
                        name="certification_report_rights",
                        statements=[
                            'GRANT SELECT, UPDATE (state, content, digest, computed_at, again_at, again_digest) ON "{table}" TO portal_worker',
                            'GRANT SELECT, INSERT (id, provider, environment, first_day, last_day), UPDATE (again_asked_at) ON "{table}" TO portal_staff',
                        ],
                        undo=['REVOKE ALL ON "{table}" FROM portal_web, portal_worker, portal_staff'],
                    )
                ],
            },
        ),
    ]
