"""The tables of this app as they were when its first migrations were put into one. Never edited: add a migration."""

import uuid

import django.db.models.deletion
from django.db import migrations, models

from connections.tenancy.row_security import TableStatements


class Migration(migrations.Migration):
    initial = True

    replaces = [
        ("tenancy", "0001_initial"),
        ("tenancy", "0002_audit_events_of_the_system"),
        ("tenancy", "0003_indexes_for_search"),
    ]

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="AuditTally",
            fields=[
                ("name", models.CharField(max_length=200, primary_key=True, serialize=False)),
                ("count", models.BigIntegerField()),
                (
                    "started_at",
                    models.DateTimeField(
                        db_default=models.Func(output_field=models.DateTimeField(), template="clock_timestamp()")
                    ),
                ),
            ],
            options={
                "constraints": [
                    TableStatements(
                        name="tenancy_audit_tally_rights",
                        statements=[
                            'GRANT SELECT, INSERT (name, count), UPDATE (count) ON "{table}" TO portal_web',
                            'GRANT SELECT, INSERT (name, count), UPDATE (count) ON "{table}" TO portal_staff',
                        ],
                        undo=['REVOKE ALL ON "{table}" FROM portal_web, portal_worker, portal_staff'],
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="SystemAuditEvent",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("action", models.CharField(max_length=80, verbose_name="action")),
                (
                    "actor_id",
                    models.BigIntegerField(
                        db_default=models.Func(
                            output_field=models.BigIntegerField(),
                            template="NULLIF(current_setting('portal.user_id', true), '')::bigint",
                        ),
                        null=True,
                        verbose_name="actor id",
                    ),
                ),
                (
                    "actor_name",
                    models.CharField(
                        db_default=models.Func(
                            output_field=models.CharField(),
                            template="coalesce(NULLIF(current_setting('portal.user_name', true), ''), 'person ' || NULLIF(current_setting('portal.user_id', true), ''), 'Pilotage')",
                        ),
                        max_length=254,
                        verbose_name="actor",
                    ),
                ),
                ("subject", models.CharField(blank=True, max_length=120, verbose_name="subject")),
                ("details", models.JSONField(default=dict, verbose_name="details")),
                (
                    "happened_at",
                    models.DateTimeField(
                        db_default=models.Func(output_field=models.DateTimeField(), template="clock_timestamp()"),
                        verbose_name="happened at",
                    ),
                ),
            ],
            options={
                "verbose_name": "system audit event",
                "verbose_name_plural": "system audit events",
                "ordering": ["-happened_at"],
                "indexes": [
                    models.Index(fields=["-happened_at", "-id"], name="tenancy_system_audit_newest"),
                    models.Index(fields=["actor_name", "-happened_at"], name="tenancy_system_audit_person"),
                    models.Index(fields=["action", "-happened_at"], name="tenancy_system_audit_action"),
                    models.Index(
                        fields=["action"], name="tenancy_system_audit_begins", opclasses=["varchar_pattern_ops"]
                    ),
                    models.Index(fields=["subject", "-happened_at"], name="tenancy_system_audit_subject"),
                    models.Index(fields=["actor_id", "-happened_at"], name="tenancy_system_audit_actor"),
                ],
                "constraints": [
                    TableStatements(
                        name="tenancy_system_audit_rights",
                        statements=[
                            'GRANT INSERT (id, action, subject, details) ON "{table}" TO portal_web',
                            'GRANT INSERT (id, action, subject, details) ON "{table}" TO portal_worker',
                            'GRANT SELECT, INSERT (id, action, subject, details) ON "{table}" TO portal_staff',
                        ],
                        undo=['REVOKE ALL ON "{table}" FROM portal_web, portal_worker, portal_staff'],
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Tenant",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("slug", models.SlugField(unique=True, verbose_name="address")),
                ("name", models.CharField(max_length=120, verbose_name="name")),
                (
                    "state",
                    models.CharField(
                        choices=[("founded", "being set up"), ("active", "active"), ("suspended", "suspended")],
                        default="founded",
                        max_length=12,
                        verbose_name="state",
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="founded at")),
            ],
            options={
                "verbose_name": "tenant",
                "verbose_name_plural": "tenants",
                "indexes": [models.Index(fields=["name", "id"], name="tenancy_tenant_by_name")],
                "constraints": [
                    TableStatements(
                        name="tenancy_tenant_rights",
                        statements=[
                            'GRANT SELECT ON "{table}" TO portal_web',
                            'GRANT SELECT, UPDATE (state) ON "{table}" TO portal_worker',
                            'GRANT SELECT, INSERT, UPDATE (name, state) ON "{table}" TO portal_staff',
                        ],
                        undo=['REVOKE ALL ON "{table}" FROM portal_web, portal_worker, portal_staff'],
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Lookup",
            fields=[
                ("digest", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("purpose", models.CharField(max_length=20)),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenancy.tenant"
                    ),
                ),
            ],
            options={
                "constraints": [
                    TableStatements(
                        name="tenancy_lookup_rights",
                        statements=[
                            'GRANT SELECT, INSERT, DELETE ON "{table}" TO portal_web',
                            'GRANT SELECT, INSERT, DELETE ON "{table}" TO portal_worker',
                            'GRANT SELECT, INSERT, DELETE ON "{table}" TO portal_staff',
                        ],
                        undo=['REVOKE ALL ON "{table}" FROM portal_web, portal_worker, portal_staff'],
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="AuditEvent",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("action", models.CharField(max_length=80, verbose_name="action")),
                (
                    "actor_id",
                    models.BigIntegerField(
                        db_default=models.Func(
                            output_field=models.BigIntegerField(),
                            template="NULLIF(current_setting('portal.user_id', true), '')::bigint",
                        ),
                        null=True,
                        verbose_name="actor id",
                    ),
                ),
                (
                    "actor_name",
                    models.CharField(
                        db_default=models.Func(
                            output_field=models.CharField(),
                            template="coalesce(NULLIF(current_setting('portal.user_name', true), ''), 'person ' || NULLIF(current_setting('portal.user_id', true), ''), 'Pilotage')",
                        ),
                        max_length=254,
                        verbose_name="actor",
                    ),
                ),
                ("subject", models.CharField(blank=True, max_length=120, verbose_name="subject")),
                ("details", models.JSONField(default=dict, verbose_name="details")),
                (
                    "happened_at",
                    models.DateTimeField(
                        db_default=models.Func(output_field=models.DateTimeField(), template="clock_timestamp()"),
                        verbose_name="happened at",
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
                "verbose_name": "audit event",
                "verbose_name_plural": "audit events",
                "ordering": ["-happened_at"],
                "indexes": [
                    models.Index(fields=["tenant", "-happened_at"], name="tenancy_audit_of_tenant"),
                    models.Index(fields=["-happened_at", "-id"], name="tenancy_audit_newest"),
                    models.Index(fields=["actor_name", "-happened_at"], name="tenancy_audit_of_person"),
                    models.Index(fields=["action", "-happened_at"], name="tenancy_audit_of_action"),
                    models.Index(
                        fields=["action"], name="tenancy_audit_action_begins", opclasses=["varchar_pattern_ops"]
                    ),
                    models.Index(fields=["subject", "-happened_at"], name="tenancy_audit_of_subject"),
                    models.Index(fields=["actor_id", "-happened_at"], name="tenancy_audit_of_actor"),
                ],
                "constraints": [
                    TableStatements(
                        name="tenancy_audit_fence",
                        statements=[
                            'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY',
                            'CREATE POLICY owner ON "{table}" TO portal_owner USING (true) WITH CHECK (true)',
                            "CREATE POLICY tenant ON \"{table}\" TO portal_web, portal_worker USING (tenant_id = (SELECT NULLIF(current_setting('portal.tenant_id', true), '')::uuid)) WITH CHECK (tenant_id = (SELECT NULLIF(current_setting('portal.tenant_id', true), '')::uuid))",
                            'CREATE POLICY staff ON "{table}" TO portal_staff USING (true) WITH CHECK (true)',
                            'DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conname = \'{table}_in_tenant\') THEN ALTER TABLE "{table}" ADD CONSTRAINT "{table}_in_tenant" UNIQUE (tenant_id, id); END IF; END $$',
                            'GRANT SELECT, INSERT (id, action, subject, details, tenant_id) ON "{table}" TO portal_web',
                            'GRANT SELECT, INSERT (id, action, subject, details, tenant_id) ON "{table}" TO portal_worker',
                            'GRANT SELECT, INSERT (id, action, subject, details, tenant_id) ON "{table}" TO portal_staff',
                        ],
                        undo=[
                            'DROP POLICY owner ON "{table}"',
                            'DROP POLICY tenant ON "{table}"',
                            'DROP POLICY staff ON "{table}"',
                            'ALTER TABLE "{table}" NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY',
                            'REVOKE ALL ON "{table}" FROM portal_web, portal_worker, portal_staff',
                        ],
                    )
                ],
            },
        ),
    ]
