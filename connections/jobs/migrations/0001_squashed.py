"""The tables of this app as they were when its first migrations were put into one. Never edited: add a migration."""

import uuid

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

from connections.tenancy.row_security import TableStatements


class Migration(migrations.Migration):
    initial = True

    replaces = [
        ("jobs", "0001_initial"),
        ("jobs", "0002_rights_of_those_who_ask"),
    ]

    dependencies = [
        ("tenancy", "0001_squashed"),
    ]

    operations = [
        migrations.CreateModel(
            name="Job",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("kind", models.CharField(max_length=60, verbose_name="kind")),
                ("subject", models.UUIDField(verbose_name="subject")),
                ("queue", models.CharField(max_length=20, verbose_name="queue")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("queued", "queued"),
                            ("running", "running"),
                            ("succeeded", "succeeded"),
                            ("parked", "parked"),
                            ("cancelled", "cancelled"),
                        ],
                        default="queued",
                        max_length=12,
                        verbose_name="state",
                    ),
                ),
                ("due_at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="due at")),
                ("starts", models.PositiveSmallIntegerField(default=0, verbose_name="starts without an end")),
                ("failures", models.PositiveSmallIntegerField(default=0, verbose_name="failures")),
                ("owner", models.CharField(blank=True, max_length=120, verbose_name="owner")),
                ("epoch", models.BigIntegerField(default=0, verbose_name="epoch")),
                ("lease_until", models.DateTimeField(null=True, verbose_name="leased until")),
                ("reason", models.CharField(blank=True, max_length=200, verbose_name="reason")),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="created at")),
                ("ended_at", models.DateTimeField(null=True, verbose_name="ended at")),
                (
                    "tenant",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenancy.tenant"
                    ),
                ),
            ],
            options={
                "verbose_name": "job",
                "verbose_name_plural": "jobs",
                "indexes": [
                    models.Index(condition=models.Q(("state", "queued")), fields=["due_at"], name="jobs_due"),
                    models.Index(condition=models.Q(("state", "running")), fields=["lease_until"], name="jobs_leased"),
                    models.Index(fields=["kind", "subject", "-created_at"], name="jobs_of_subject"),
                    models.Index(
                        condition=models.Q(("ended_at__isnull", False)), fields=["ended_at"], name="jobs_ended"
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state", "queued")), fields=("kind", "subject"), name="jobs_one_queued"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "running"), _negated=True),
                            ("lease_until__isnull", False),
                            _connector="OR",
                        ),
                        name="jobs_running_has_lease",
                    ),
                    TableStatements(
                        name="jobs_job_rights",
                        statements=[
                            'GRANT SELECT, INSERT (id, tenant_id, kind, subject, queue, state, due_at, starts, failures, owner, epoch, reason, created_at), UPDATE (due_at, state, reason, ended_at) ON "{table}" TO portal_web',
                            'GRANT SELECT, INSERT, UPDATE, DELETE ON "{table}" TO portal_worker',
                            'GRANT SELECT, INSERT (id, tenant_id, kind, subject, queue, state, due_at, starts, failures, owner, epoch, reason, created_at), UPDATE (due_at, state, reason, ended_at) ON "{table}" TO portal_staff',
                        ],
                        undo=['REVOKE ALL ON "{table}" FROM portal_web, portal_worker, portal_staff'],
                    ),
                ],
            },
        ),
    ]
