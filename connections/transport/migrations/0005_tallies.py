"""How many attempts there were: by the minute of each tenant, by the day of all together."""

import django.db.models.deletion
import uuid
from django.db import migrations, models

from connections.tenancy.row_security import TableStatements


class Migration(migrations.Migration):
    dependencies = [
        ("tenancy", "0002_settings"),
        ("transport", "0004_trace_id"),
    ]

    operations = [
        migrations.CreateModel(
            name="DayTally",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateField(verbose_name="day")),
                ("provider", models.CharField(max_length=40, verbose_name="provider")),
                ("environment", models.CharField(max_length=12, verbose_name="environment")),
                ("operation", models.CharField(max_length=60, verbose_name="operation")),
                ("outcome", models.CharField(max_length=12, verbose_name="outcome")),
                ("attempts", models.PositiveBigIntegerField(verbose_name="attempts")),
            ],
            options={
                "verbose_name": "day tally",
                "verbose_name_plural": "day tallies",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("day", "provider", "environment", "operation", "outcome"),
                        name="transport_day_tally_once",
                    ),
                    TableStatements(
                        name="transport_day_tally_rights",
                        statements=['GRANT SELECT ON "{table}" TO portal_staff'],
                        undo=['REVOKE ALL ON "{table}" FROM portal_web, portal_worker, portal_staff'],
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="MinuteTally",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("connection_id", models.UUIDField(null=True, verbose_name="connection")),
                ("minute", models.DateTimeField(verbose_name="minute")),
                ("provider", models.CharField(max_length=40, verbose_name="provider")),
                ("environment", models.CharField(max_length=12, verbose_name="environment")),
                ("operation", models.CharField(max_length=60, verbose_name="operation")),
                ("outcome", models.CharField(max_length=12, verbose_name="outcome")),
                ("attempts", models.PositiveIntegerField(verbose_name="attempts")),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenancy.tenant",
                    ),
                ),
            ],
            options={
                "verbose_name": "minute tally",
                "verbose_name_plural": "minute tallies",
                "indexes": [models.Index(fields=["minute"], name="transport_tally_of_minute")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=(
                            "tenant",
                            "minute",
                            "connection_id",
                            "provider",
                            "environment",
                            "operation",
                            "outcome",
                        ),
                        name="transport_tally_once",
                        nulls_distinct=False,
                    ),
                    TableStatements(
                        name="transport_tally_fence",
                        statements=[
                            'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY',
                            'CREATE POLICY owner ON "{table}" TO portal_owner USING (true) WITH CHECK (true)',
                            "CREATE POLICY tenant ON \"{table}\" TO portal_web, portal_worker USING (tenant_id = (SELECT NULLIF(current_setting('portal.tenant_id', true), '')::uuid)) WITH CHECK (tenant_id = (SELECT NULLIF(current_setting('portal.tenant_id', true), '')::uuid))",
                            'CREATE POLICY staff ON "{table}" TO portal_staff USING (true) WITH CHECK (true)',
                            'GRANT SELECT, INSERT, UPDATE (attempts) ON "{table}" TO portal_worker',
                            'GRANT SELECT ON "{table}" TO portal_staff',
                        ],
                        undo=[
                            'DROP POLICY owner ON "{table}"',
                            'DROP POLICY tenant ON "{table}"',
                            'DROP POLICY staff ON "{table}"',
                            'ALTER TABLE "{table}" NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY',
                            'REVOKE ALL ON "{table}" FROM portal_web, portal_worker, portal_staff',
                        ],
                    ),
                ],
            },
        ),
    ]
