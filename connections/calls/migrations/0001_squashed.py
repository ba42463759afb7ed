"""The tables of this app as they were when its first migrations were put into one. Never edited: add a migration."""

import uuid

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

from connections.tenancy.row_security import TableStatements


class Migration(migrations.Migration):
    initial = True

    replaces = [
        ("calls", "0001_initial"),
    ]

    dependencies = [
        ("tenancy", "0001_squashed"),
        ("vault", "0001_squashed"),
    ]

    operations = [
        migrations.CreateModel(
            name="Call",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("operation", models.CharField(max_length=60, verbose_name="operation")),
                ("is_write", models.BooleanField(verbose_name="write")),
                ("arguments", models.TextField()),
                ("body", models.TextField(blank=True)),
                (
                    "reason",
                    models.CharField(
                        choices=[("hand", "by hand"), ("again", "again, after one that was not done")],
                        default="hand",
                        max_length=10,
                        verbose_name="asked",
                    ),
                ),
                ("asked_by", models.CharField(max_length=254, verbose_name="asked by")),
                ("actor_id", models.BigIntegerField(null=True, verbose_name="actor id")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("queued", "queued"),
                            ("sent", "sent"),
                            ("answered", "answered"),
                            ("refused", "refused"),
                            ("waiting", "waiting to be confirmed"),
                            ("unknown", "outcome unknown"),
                            ("settled-done", "settled: it was done"),
                            ("settled-not-done", "settled: it was not done"),
                            ("failed", "not sent"),
                        ],
                        default="queued",
                        max_length=20,
                        verbose_name="state",
                    ),
                ),
                (
                    "why",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("not-offered", "it cannot be looked up"),
                            ("not-found", "looked for and not found"),
                            ("not-heard", "could not be looked up"),
                            ("twin", "an identical one was done before"),
                            ("no-news", "its confirmation cannot be followed"),
                        ],
                        max_length=20,
                        verbose_name="why unknown",
                    ),
                ),
                ("status", models.PositiveSmallIntegerField(null=True, verbose_name="status")),
                ("answer", models.TextField(blank=True)),
                ("is_cut", models.BooleanField(default=False)),
                ("troubles", models.JSONField(default=list)),
                ("fault", models.CharField(blank=True, max_length=60, verbose_name="fault")),
                ("entry_id", models.UUIDField(null=True, verbose_name="entry id")),
                (
                    "provider_request_id",
                    models.CharField(blank=True, max_length=140, verbose_name="provider request id"),
                ),
                ("follow_up", models.CharField(blank=True, max_length=200)),
                ("looks", models.PositiveSmallIntegerField(default=0, verbose_name="looks")),
                ("found_by_look_up", models.BooleanField(default=False, verbose_name="found by look-up")),
                ("next_at", models.DateTimeField(null=True, verbose_name="goes on at")),
                ("asked_at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="asked at")),
                ("sent_at", models.DateTimeField(null=True, verbose_name="sent at")),
                ("ended_at", models.DateTimeField(null=True, verbose_name="ended at")),
                ("settled_by", models.CharField(blank=True, max_length=254, verbose_name="settled by")),
                (
                    "connection",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="calls",
                        to="vault.connection",
                    ),
                ),
                (
                    "instead_of",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="successors",
                        to="calls.call",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenancy.tenant",
                    ),
                ),
            ],
            options={
                "verbose_name": "call",
                "verbose_name_plural": "calls",
                "ordering": ["-asked_at", "-id"],
                "indexes": [
                    models.Index(fields=["tenant", "connection", "-asked_at"], name="calls_of_connection"),
                    models.Index(fields=["-asked_at", "-id"], name="calls_newest"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "instead_of"), name="calls_one_successor"),
                    TableStatements(
                        name="calls_call_fence",
                        statements=[
                            'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY',
                            'CREATE POLICY owner ON "{table}" TO portal_owner USING (true) WITH CHECK (true)',
                            "CREATE POLICY tenant ON \"{table}\" TO portal_web, portal_worker USING (tenant_id = (SELECT NULLIF(current_setting('portal.tenant_id', true), '')::uuid)) WITH CHECK (tenant_id = (SELECT NULLIF(current_setting('portal.tenant_id', true), '')::uuid))",
                            'CREATE POLICY staff ON "{table}" TO portal_staff USING (true) WITH CHECK (true)',
                            'DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conname = \'{table}_in_tenant\') THEN ALTER TABLE "{table}" ADD CONSTRAINT "{table}_in_tenant" UNIQUE (tenant_id, id); END IF; END $$',
                            'GRANT SELECT, INSERT, UPDATE (state, next_at, ended_at, settled_by) ON "{table}" TO portal_web',
                            'GRANT SELECT, UPDATE ON "{table}" TO portal_worker',
                            'GRANT SELECT (id, tenant_id, connection_id, operation, is_write, reason, instead_of_id, asked_by, actor_id, state, why, status, fault, entry_id, provider_request_id, looks, found_by_look_up, next_at, asked_at, sent_at, ended_at, settled_by) ON "{table}" TO portal_staff',
                        ],
                        undo=[
                            'DROP POLICY owner ON "{table}"',
                            'DROP POLICY tenant ON "{table}"',
                            'DROP POLICY staff ON "{table}"',
                            'ALTER TABLE "{table}" NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY',
                            'REVOKE ALL ON "{table}" FROM portal_web, portal_worker, portal_staff',
                        ],
                    ),
                    TableStatements(
                        field="connection",
                        name="calls_call_connection_tenant",
                        statements=[
                            'ALTER TABLE "{table}" ADD CONSTRAINT "calls_call_connection_tenant" FOREIGN KEY (tenant_id, "{column}") REFERENCES "{target}" (tenant_id, id) DEFERRABLE INITIALLY DEFERRED'
                        ],
                        undo=['ALTER TABLE "{table}" DROP CONSTRAINT "calls_call_connection_tenant"'],
                    ),
                    TableStatements(
                        field="instead_of",
                        name="calls_call_instead_of_tenant",
                        statements=[
                            'ALTER TABLE "{table}" ADD CONSTRAINT "calls_call_instead_of_tenant" FOREIGN KEY (tenant_id, "{column}") REFERENCES "{target}" (tenant_id, id) DEFERRABLE INITIALLY DEFERRED'
                        ],
                        undo=['ALTER TABLE "{table}" DROP CONSTRAINT "calls_call_instead_of_tenant"'],
                    ),
                ],
            },
        ),
    ]
