"""The tables of this app as they were when its first migrations were put into one. Never edited: add a migration."""

import uuid

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

from connections.tenancy.row_security import TableStatements


class Migration(migrations.Migration):
    initial = True

    replaces = [
        ("sync", "0001_initial"),
        ("sync", "0002_listed_pages"),
        ("sync", "0003_one_id_in_every_spelling"),
    ]

    dependencies = [
        ("tenancy", "0001_squashed"),
        ("vault", "0001_squashed"),
    ]

    operations = [
        migrations.CreateModel(
            name="SyncRun",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                (
                    "trigger",
                    models.CharField(
                        choices=[
                            ("first", "first sync"),
                            ("hand", "by hand"),
                            ("schedule", "on schedule"),
                            ("mended", "after the connection was mended"),
                        ],
                        max_length=10,
                        verbose_name="started",
                    ),
                ),
                ("asked_by", models.CharField(blank=True, max_length=254, verbose_name="asked by")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("queued", "queued"),
                            ("running", "running"),
                            ("waiting", "waiting"),
                            ("succeeded", "succeeded"),
                            ("incomplete", "incomplete"),
                            ("failed", "failed"),
                            ("cancelled", "cancelled"),
                        ],
                        default="queued",
                        max_length=12,
                        verbose_name="state",
                    ),
                ),
                ("queued_at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="queued at")),
                ("started_at", models.DateTimeField(null=True, verbose_name="started at")),
                ("ended_at", models.DateTimeField(null=True, verbose_name="ended at")),
                ("waiting_until", models.DateTimeField(null=True, verbose_name="waiting until")),
                ("fault", models.CharField(blank=True, max_length=60, verbose_name="fault")),
                ("entry_id", models.UUIDField(null=True, verbose_name="entry id")),
                ("cancelled_by", models.CharField(blank=True, max_length=254, verbose_name="cancelled by")),
                (
                    "connection",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="runs",
                        to="vault.connection",
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
                "verbose_name": "sync run",
                "verbose_name_plural": "sync runs",
                "ordering": ["-queued_at", "-id"],
            },
        ),
        migrations.CreateModel(
            name="StreamProgress",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("stream", models.CharField(max_length=40, verbose_name="stream")),
                ("order", models.PositiveSmallIntegerField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("pending", "to come"),
                            ("reading", "reading"),
                            ("done", "done"),
                            ("refused", "refused"),
                            ("failed", "failed"),
                        ],
                        default="pending",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                ("started_at", models.DateTimeField(null=True, verbose_name="started at")),
                ("position", models.JSONField(default=dict)),
                ("since", models.CharField(blank=True, max_length=40, verbose_name="changed since")),
                ("newest", models.CharField(blank=True, max_length=40)),
                ("pages", models.PositiveIntegerField(default=0, verbose_name="pages")),
                ("seen", models.PositiveIntegerField(default=0, verbose_name="read")),
                ("added", models.PositiveIntegerField(default=0, verbose_name="new")),
                ("changed", models.PositiveIntegerField(default=0, verbose_name="changed")),
                ("skipped", models.PositiveIntegerField(default=0, verbose_name="not kept")),
                ("expected", models.PositiveIntegerField(null=True, verbose_name="expected")),
                ("fault", models.CharField(blank=True, max_length=60, verbose_name="fault")),
                ("entry_id", models.UUIDField(null=True, verbose_name="entry id")),
                (
                    "tenant",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenancy.tenant",
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="progress",
                        to="sync.syncrun",
                    ),
                ),
            ],
            options={
                "ordering": ["order"],
            },
        ),
        migrations.CreateModel(
            name="RunLogLine",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="time")),
                (
                    "level",
                    models.CharField(
                        choices=[("info", "info"), ("warning", "warning"), ("error", "error")],
                        default="info",
                        max_length=8,
                        verbose_name="level",
                    ),
                ),
                ("code", models.CharField(max_length=60)),
                ("values", models.JSONField(default=dict)),
                (
                    "tenant",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenancy.tenant",
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="lines",
                        to="sync.syncrun",
                    ),
                ),
            ],
            options={
                "verbose_name": "log line",
                "verbose_name_plural": "log lines",
                "ordering": ["at", "id"],
            },
        ),
        migrations.CreateModel(
            name="ListedPage",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("stream", models.CharField(max_length=40)),
                ("part", models.CharField(blank=True, max_length=120)),
                ("scan", models.PositiveIntegerField(default=1)),
                ("place", models.PositiveIntegerField()),
                ("ids", models.JSONField(default=list)),
                (
                    "tenant",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenancy.tenant",
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="listed",
                        to="sync.syncrun",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Record",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("stream", models.CharField(max_length=40, verbose_name="stream")),
                ("external_id", models.CharField(max_length=120, verbose_name="id at the provider")),
                ("body", models.JSONField(verbose_name="content")),
                ("added_at", models.DateTimeField(verbose_name="added at")),
                ("changed_at", models.DateTimeField(verbose_name="changed at")),
                (
                    "connection",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="records",
                        to="vault.connection",
                    ),
                ),
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
                "verbose_name": "record",
                "verbose_name_plural": "records",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("tenant", "connection", "stream", "external_id"), name="sync_record_once"
                    ),
                    TableStatements(
                        name="sync_record_fence",
                        statements=[
                            'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY',
                            'CREATE POLICY owner ON "{table}" TO portal_owner USING (true) WITH CHECK (true)',
                            "CREATE POLICY tenant ON \"{table}\" TO portal_web, portal_worker USING (tenant_id = (SELECT NULLIF(current_setting('portal.tenant_id', true), '')::uuid)) WITH CHECK (tenant_id = (SELECT NULLIF(current_setting('portal.tenant_id', true), '')::uuid))",
                            'GRANT SELECT ON "{table}" TO portal_web',
                            'GRANT SELECT, INSERT, UPDATE, DELETE ON "{table}" TO portal_worker',
                        ],
                        undo=[
                            'DROP POLICY owner ON "{table}"',
                            'DROP POLICY tenant ON "{table}"',
                            'ALTER TABLE "{table}" NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY',
                            'REVOKE ALL ON "{table}" FROM portal_web, portal_worker, portal_staff',
                        ],
                    ),
                    TableStatements(
                        field="connection",
                        name="sync_record_connection_tenant",
                        statements=[
                            'ALTER TABLE "{table}" ADD CONSTRAINT "sync_record_connection_tenant" FOREIGN KEY (tenant_id, "{column}") REFERENCES "{target}" (tenant_id, id) DEFERRABLE INITIALLY DEFERRED'
                        ],
                        undo=['ALTER TABLE "{table}" DROP CONSTRAINT "sync_record_connection_tenant"'],
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="StreamCursor",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("stream", models.CharField(max_length=40, verbose_name="stream")),
                ("newest", models.CharField(blank=True, max_length=40, verbose_name="newest change seen")),
                ("records", models.PositiveIntegerField(default=0, verbose_name="records")),
                ("read_at", models.DateTimeField(null=True, verbose_name="last read")),
                ("changed_at", models.DateTimeField(null=True, verbose_name="last change")),
                (
                    "connection",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="cursors",
                        to="vault.connection",
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
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "connection", "stream"), name="sync_cursor_once"),
                    TableStatements(
                        name="sync_cursor_fence",
                        statements=[
                            'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY',
                            'CREATE POLICY owner ON "{table}" TO portal_owner USING (true) WITH CHECK (true)',
                            "CREATE POLICY tenant ON \"{table}\" TO portal_web, portal_worker USING (tenant_id = (SELECT NULLIF(current_setting('portal.tenant_id', true), '')::uuid)) WITH CHECK (tenant_id = (SELECT NULLIF(current_setting('portal.tenant_id', true), '')::uuid))",
                            'CREATE POLICY staff ON "{table}" TO portal_staff USING (true) WITH CHECK (true)',
                            'DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conname = \'{table}_in_tenant\') THEN ALTER TABLE "{table}" ADD CONSTRAINT "{table}_in_tenant" UNIQUE (tenant_id, id); END IF; END $$',
                            'GRANT SELECT ON "{table}" TO portal_web',
                            'GRANT SELECT, INSERT, UPDATE ON "{table}" TO portal_worker',
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
                    TableStatements(
                        field="connection",
                        name="sync_cursor_connection_tenant",
                        statements=[
                            'ALTER TABLE "{table}" ADD CONSTRAINT "sync_cursor_connection_tenant" FOREIGN KEY (tenant_id, "{column}") REFERENCES "{target}" (tenant_id, id) DEFERRABLE INITIALLY DEFERRED'
                        ],
                        undo=['ALTER TABLE "{table}" DROP CONSTRAINT "sync_cursor_connection_tenant"'],
                    ),
                ],
            },
        ),
        migrations.AddIndex(
            model_name="syncrun",
            index=models.Index(fields=["tenant", "connection", "-queued_at"], name="sync_run_of_connection"),
        ),
        migrations.AddIndex(
            model_name="syncrun",
            index=models.Index(fields=["-queued_at", "-id"], name="sync_run_newest"),
        ),
        migrations.AddConstraint(
            model_name="syncrun",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state__in", ("queued", "running", "waiting"))),
                fields=("tenant", "connection"),
                name="sync_one_active_run",
            ),
        ),
        migrations.AddConstraint(
            model_name="syncrun",
            constraint=TableStatements(
                name="sync_run_fence",
                statements=[
                    'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY',
                    'CREATE POLICY owner ON "{table}" TO portal_owner USING (true) WITH CHECK (true)',
                    "CREATE POLICY tenant ON \"{table}\" TO portal_web, portal_worker USING (tenant_id = (SELECT NULLIF(current_setting('portal.tenant_id', true), '')::uuid)) WITH CHECK (tenant_id = (SELECT NULLIF(current_setting('portal.tenant_id', true), '')::uuid))",
                    'CREATE POLICY staff ON "{table}" TO portal_staff USING (true) WITH CHECK (true)',
                    'DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conname = \'{table}_in_tenant\') THEN ALTER TABLE "{table}" ADD CONSTRAINT "{table}_in_tenant" UNIQUE (tenant_id, id); END IF; END $$',
                    'GRANT SELECT, INSERT, UPDATE (state, ended_at, cancelled_by) ON "{table}" TO portal_web',
                    'GRANT SELECT, INSERT, UPDATE ON "{table}" TO portal_worker',
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
        ),
        migrations.AddConstraint(
            model_name="syncrun",
            constraint=TableStatements(
                field="connection",
                name="sync_run_connection_tenant",
                statements=[
                    'ALTER TABLE "{table}" ADD CONSTRAINT "sync_run_connection_tenant" FOREIGN KEY (tenant_id, "{column}") REFERENCES "{target}" (tenant_id, id) DEFERRABLE INITIALLY DEFERRED'
                ],
                undo=['ALTER TABLE "{table}" DROP CONSTRAINT "sync_run_connection_tenant"'],
            ),
        ),
        migrations.AddConstraint(
            model_name="streamprogress",
            constraint=models.UniqueConstraint(fields=("tenant", "run", "stream"), name="sync_progress_once"),
        ),
        migrations.AddConstraint(
            model_name="streamprogress",
            constraint=TableStatements(
                name="sync_progress_fence",
                statements=[
                    'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY',
                    'CREATE POLICY owner ON "{table}" TO portal_owner USING (true) WITH CHECK (true)',
                    "CREATE POLICY tenant ON \"{table}\" TO portal_web, portal_worker USING (tenant_id = (SELECT NULLIF(current_setting('portal.tenant_id', true), '')::uuid)) WITH CHECK (tenant_id = (SELECT NULLIF(current_setting('portal.tenant_id', true), '')::uuid))",
                    'CREATE POLICY staff ON "{table}" TO portal_staff USING (true) WITH CHECK (true)',
                    'DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conname = \'{table}_in_tenant\') THEN ALTER TABLE "{table}" ADD CONSTRAINT "{table}_in_tenant" UNIQUE (tenant_id, id); END IF; END $$',
                    'GRANT SELECT, INSERT ON "{table}" TO portal_web',
                    'GRANT SELECT, INSERT, UPDATE ON "{table}" TO portal_worker',
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
        ),
        migrations.AddConstraint(
            model_name="streamprogress",
            constraint=TableStatements(
                field="run",
                name="sync_progress_run_tenant",
                statements=[
                    'ALTER TABLE "{table}" ADD CONSTRAINT "sync_progress_run_tenant" FOREIGN KEY (tenant_id, "{column}") REFERENCES "{target}" (tenant_id, id) DEFERRABLE INITIALLY DEFERRED'
                ],
                undo=['ALTER TABLE "{table}" DROP CONSTRAINT "sync_progress_run_tenant"'],
            ),
        ),
        migrations.AddIndex(
            model_name="runlogline",
            index=models.Index(fields=["tenant", "run", "at", "id"], name="sync_line_of_run"),
        ),
        migrations.AddConstraint(
            model_name="runlogline",
            constraint=TableStatements(
                name="sync_line_fence",
                statements=[
                    'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY',
                    'CREATE POLICY owner ON "{table}" TO portal_owner USING (true) WITH CHECK (true)',
                    "CREATE POLICY tenant ON \"{table}\" TO portal_web, portal_worker USING (tenant_id = (SELECT NULLIF(current_setting('portal.tenant_id', true), '')::uuid)) WITH CHECK (tenant_id = (SELECT NULLIF(current_setting('portal.tenant_id', true), '')::uuid))",
                    'CREATE POLICY staff ON "{table}" TO portal_staff USING (true) WITH CHECK (true)',
                    'DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conname = \'{table}_in_tenant\') THEN ALTER TABLE "{table}" ADD CONSTRAINT "{table}_in_tenant" UNIQUE (tenant_id, id); END IF; END $$',
                    'GRANT SELECT, INSERT ON "{table}" TO portal_web',
                    'GRANT SELECT, INSERT ON "{table}" TO portal_worker',
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
        ),
        migrations.AddConstraint(
            model_name="runlogline",
            constraint=TableStatements(
                field="run",
                name="sync_line_run_tenant",
                statements=[
                    'ALTER TABLE "{table}" ADD CONSTRAINT "sync_line_run_tenant" FOREIGN KEY (tenant_id, "{column}") REFERENCES "{target}" (tenant_id, id) DEFERRABLE INITIALLY DEFERRED'
                ],
                undo=['ALTER TABLE "{table}" DROP CONSTRAINT "sync_line_run_tenant"'],
            ),
        ),
        migrations.AddIndex(
            model_name="listedpage",
            index=models.Index(fields=["tenant", "run", "stream", "part", "scan", "place"], name="sync_listed_of_run"),
        ),
        migrations.AddConstraint(
            model_name="listedpage",
            constraint=TableStatements(
                name="sync_listed_fence",
                statements=[
                    'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY',
                    'CREATE POLICY owner ON "{table}" TO portal_owner USING (true) WITH CHECK (true)',
                    "CREATE POLICY tenant ON \"{table}\" TO portal_web, portal_worker USING (tenant_id = (SELECT NULLIF(current_setting('portal.tenant_id', true), '')::uuid)) WITH CHECK (tenant_id = (SELECT NULLIF(current_setting('portal.tenant_id', true), '')::uuid))",
                    'DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conname = \'{table}_in_tenant\') THEN ALTER TABLE "{table}" ADD CONSTRAINT "{table}_in_tenant" UNIQUE (tenant_id, id); END IF; END $$',
                    'GRANT SELECT, INSERT, DELETE ON "{table}" TO portal_worker',
                ],
                undo=[
                    'DROP POLICY owner ON "{table}"',
                    'DROP POLICY tenant ON "{table}"',
                    'ALTER TABLE "{table}" NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY',
                    'REVOKE ALL ON "{table}" FROM portal_web, portal_worker, portal_staff',
                ],
            ),
        ),
        migrations.AddConstraint(
            model_name="listedpage",
            constraint=TableStatements(
                field="run",
                name="sync_listed_run_tenant",
                statements=[
                    'ALTER TABLE "{table}" ADD CONSTRAINT "sync_listed_run_tenant" FOREIGN KEY (tenant_id, "{column}") REFERENCES "{target}" (tenant_id, id) DEFERRABLE INITIALLY DEFERRED'
                ],
                undo=['ALTER TABLE "{table}" DROP CONSTRAINT "sync_listed_run_tenant"'],
            ),
        ),
    ]
