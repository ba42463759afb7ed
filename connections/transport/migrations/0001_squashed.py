"""The tables of this app as they were when its first migrations were put into one. Never edited: add a migration."""

import uuid

import django.db.models.deletion
from django.db import migrations, models

from connections.tenancy.row_security import TableStatements

# Partitioned by month, which Django cannot write; hence its model is not managed. Nothing is granted on a partition.
REQUEST_LOG = """
CREATE TABLE transport_entry (
    id uuid NOT NULL,
    at timestamptz NOT NULL,
    tenant_id uuid NOT NULL REFERENCES tenancy_tenant (id) ON DELETE CASCADE,
    connection_id uuid,
    run_id uuid,
    checkpoint varchar(60) NOT NULL DEFAULT '',
    provider varchar(40) NOT NULL,
    environment varchar(12) NOT NULL,
    api_version varchar(20) NOT NULL DEFAULT '',
    operation varchar(60) NOT NULL,
    method varchar(8) NOT NULL,
    path_template varchar(200) NOT NULL,
    status smallint,
    outcome varchar(12) NOT NULL,
    fault varchar(60) NOT NULL DEFAULT '',
    attempt smallint NOT NULL DEFAULT 1,
    duration_ms integer NOT NULL,
    bytes_in integer NOT NULL DEFAULT 0,
    provider_request_id varchar(140) NOT NULL DEFAULT '',
    token_age_s integer,
    quota_left integer,
    leads_to varchar(253) NOT NULL DEFAULT '',
    PRIMARY KEY (at, id)
) PARTITION BY RANGE (at);
CREATE INDEX transport_entry_tenant ON transport_entry (tenant_id, at DESC, id DESC);
CREATE INDEX transport_entry_newest ON transport_entry (at DESC, id DESC);
CREATE INDEX transport_entry_connection ON transport_entry (tenant_id, connection_id, at DESC, id DESC);
CREATE INDEX transport_entry_run ON transport_entry (run_id, at) WHERE run_id IS NOT NULL;
CREATE INDEX transport_entry_id ON transport_entry (id);
CREATE INDEX transport_entry_request_id ON transport_entry (provider_request_id) WHERE provider_request_id <> '';
CREATE INDEX transport_entry_status ON transport_entry (status, at DESC, id DESC);
ALTER TABLE transport_entry ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON transport_entry TO portal_owner USING (true) WITH CHECK (true);
CREATE POLICY tenant ON transport_entry TO portal_web, portal_worker
    USING (tenant_id = (SELECT NULLIF(current_setting('portal.tenant_id', true), '')::uuid))
    WITH CHECK (tenant_id = (SELECT NULLIF(current_setting('portal.tenant_id', true), '')::uuid));
CREATE POLICY staff ON transport_entry TO portal_staff USING (true) WITH CHECK (true);
GRANT SELECT ON transport_entry TO portal_web;
GRANT SELECT, INSERT ON transport_entry TO portal_worker;
GRANT SELECT ON transport_entry TO portal_staff;
"""

# This month and the 24 after it; `manage.py maintenance` goes on from there.
PARTITIONS = """
DO $$
DECLARE
    this_month timestamp := date_trunc('month', now() AT TIME ZONE 'UTC');
    begins timestamp;
BEGIN
    FOR ahead IN 0..24 LOOP
        begins := this_month + make_interval(months => ahead);
        EXECUTE format(
            'CREATE TABLE %I PARTITION OF transport_entry FOR VALUES FROM (%L) TO (%L)',
            'transport_entry_' || to_char(begins, 'YYYY_MM'),
            to_char(begins, 'YYYY-MM-DD 00:00"Z"'),
            to_char(begins + interval '1 month', 'YYYY-MM-DD 00:00"Z"')
        );
    END LOOP;
END $$
"""


class Migration(migrations.Migration):
    initial = True

    replaces = [
        ("transport", "0001_initial"),
        ("transport", "0002_request_log"),
        ("transport", "0003_attempts_and_budgets"),
        ("transport", "0004_activation_requests"),
        ("transport", "0005_breakers"),
        ("transport", "0006_where_redirects_lead"),
        ("transport", "0007_recordings"),
        ("transport", "0008_plain_words"),
    ]

    dependencies = [
        ("tenancy", "0001_squashed"),
        ("vault", "0001_squashed"),
    ]

    operations = [
        migrations.CreateModel(
            name="RequestLogEntry",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False, verbose_name="entry id"
                    ),
                ),
                ("at", models.DateTimeField(verbose_name="time")),
                ("run_id", models.UUIDField(null=True, verbose_name="run")),
                ("checkpoint", models.CharField(blank=True, max_length=60, verbose_name="checkpoint")),
                ("provider", models.CharField(max_length=40, verbose_name="provider")),
                ("environment", models.CharField(max_length=12, verbose_name="environment")),
                ("api_version", models.CharField(blank=True, max_length=20, verbose_name="API version")),
                ("operation", models.CharField(max_length=60, verbose_name="operation")),
                ("method", models.CharField(max_length=8, verbose_name="method")),
                ("path_template", models.CharField(max_length=200, verbose_name="path")),
                ("status", models.PositiveSmallIntegerField(null=True, verbose_name="status")),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("answered", "answered"),
                            ("refused", "refused"),
                            ("troubled", "troubled"),
                            ("unreachable", "no answer"),
                            ("unreadable", "unreadable"),
                            ("blocked", "blocked"),
                        ],
                        max_length=12,
                        verbose_name="outcome",
                    ),
                ),
                ("fault", models.CharField(blank=True, max_length=60, verbose_name="fault")),
                ("attempt", models.PositiveSmallIntegerField(default=1, verbose_name="attempt")),
                ("duration_ms", models.PositiveIntegerField(verbose_name="duration (ms)")),
                ("bytes_in", models.PositiveIntegerField(default=0, verbose_name="bytes")),
                (
                    "provider_request_id",
                    models.CharField(blank=True, max_length=140, verbose_name="provider request id"),
                ),
                ("token_age_s", models.PositiveIntegerField(null=True, verbose_name="token age (s)")),
                ("quota_left", models.IntegerField(null=True, verbose_name="quota left")),
                ("leads_to", models.CharField(blank=True, max_length=253, verbose_name="redirect to")),
            ],
            options={
                "verbose_name": "request",
                "verbose_name_plural": "request log",
                "db_table": "transport_entry",
                "ordering": ["-at", "-id"],
                "managed": False,
            },
        ),
        migrations.RunSQL([REQUEST_LOG, PARTITIONS], "DROP TABLE transport_entry"),
        migrations.CreateModel(
            name="Breaker",
            fields=[
                ("key", models.CharField(max_length=200, primary_key=True, serialize=False)),
                ("of_connection", models.BooleanField(default=False)),
                ("began_at", models.DateTimeField()),
                ("good", models.PositiveIntegerField(default=0)),
                ("bad", models.PositiveIntegerField(default=0)),
                ("by", models.UUIDField(null=True)),
                ("is_shared", models.BooleanField(default=False)),
                ("opened_at", models.DateTimeField(null=True)),
                ("healed_at", models.DateTimeField(null=True)),
                ("next_at", models.DateTimeField(null=True)),
            ],
            options={
                "verbose_name": "breaker",
                "verbose_name_plural": "breakers",
                "constraints": [
                    TableStatements(
                        name="transport_breaker_rights",
                        statements=[
                            'GRANT SELECT ON "{table}" TO portal_web',
                            'GRANT SELECT, INSERT, UPDATE, DELETE ON "{table}" TO portal_worker',
                            'GRANT SELECT ON "{table}" TO portal_staff',
                        ],
                        undo=['REVOKE ALL ON "{table}" FROM portal_web, portal_worker, portal_staff'],
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="QuotaWindow",
            fields=[
                ("key", models.CharField(max_length=200, primary_key=True, serialize=False)),
                ("next_at", models.DateTimeField(null=True)),
                ("counts", models.JSONField(default=dict)),
            ],
            options={
                "verbose_name": "quota window",
                "verbose_name_plural": "quota windows",
                "constraints": [
                    TableStatements(
                        name="transport_quota_rights",
                        statements=[
                            'GRANT SELECT, INSERT, UPDATE, DELETE ON "{table}" TO portal_worker',
                            'GRANT SELECT ON "{table}" TO portal_staff',
                        ],
                        undo=['REVOKE ALL ON "{table}" FROM portal_web, portal_worker, portal_staff'],
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Recording",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("public_keyset", models.TextField()),
                ("wrapped_keyset", models.TextField()),
                ("started_by", models.CharField(max_length=254, verbose_name="started by")),
                ("started_at", models.DateTimeField(verbose_name="started at")),
                ("until_at", models.DateTimeField(verbose_name="until")),
                ("stopped_at", models.DateTimeField(null=True, verbose_name="stopped at")),
                ("kept", models.PositiveIntegerField(default=0, verbose_name="kept")),
                (
                    "connection",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="recordings",
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
                "verbose_name": "recording",
                "verbose_name_plural": "recordings",
            },
        ),
        migrations.CreateModel(
            name="RecordedCall",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("entry_id", models.UUIDField(verbose_name="entry id")),
                ("at", models.DateTimeField(verbose_name="time")),
                ("operation", models.CharField(max_length=60, verbose_name="operation")),
                ("status", models.PositiveSmallIntegerField(null=True, verbose_name="status")),
                ("ciphertext", models.BinaryField()),
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
                    "recording",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="calls",
                        to="transport.recording",
                    ),
                ),
            ],
            options={
                "verbose_name": "recorded request",
                "verbose_name_plural": "recorded requests",
                "ordering": ["-at", "-id"],
            },
        ),
        migrations.CreateModel(
            name="ActivationRequest",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("provider", models.CharField(max_length=40, verbose_name="provider")),
                ("environment", models.CharField(max_length=12, verbose_name="environment")),
                ("key_version", models.PositiveIntegerField()),
                ("request_ciphertext", models.BinaryField()),
                ("actor_id", models.BigIntegerField(null=True)),
                ("actor_name", models.CharField(max_length=254, verbose_name="who")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("asked", "being fetched"),
                            ("shown", "waits for a decision"),
                            ("deciding", "being carried out"),
                            ("decided", "carried out"),
                            ("expired", "expired"),
                            ("failed", "failed"),
                        ],
                        default="asked",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                ("proposal", models.JSONField(default=dict)),
                ("expires_at", models.DateTimeField(null=True, verbose_name="valid until")),
                ("approved", models.JSONField(default=list)),
                ("opened", models.JSONField(default=dict)),
                ("asked_at", models.DateTimeField(auto_now_add=True, verbose_name="asked at")),
                ("ended_at", models.DateTimeField(null=True, verbose_name="ended at")),
                ("reason_code", models.CharField(blank=True, max_length=60, verbose_name="why")),
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
            ],
            options={
                "verbose_name": "activation",
                "verbose_name_plural": "activations",
                "ordering": ["-asked_at"],
                "constraints": [
                    TableStatements(
                        name="transport_activation_fence",
                        statements=[
                            'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY',
                            'CREATE POLICY owner ON "{table}" TO portal_owner USING (true) WITH CHECK (true)',
                            "CREATE POLICY tenant ON \"{table}\" TO portal_web, portal_worker USING (tenant_id = (SELECT NULLIF(current_setting('portal.tenant_id', true), '')::uuid)) WITH CHECK (tenant_id = (SELECT NULLIF(current_setting('portal.tenant_id', true), '')::uuid))",
                            'CREATE POLICY staff ON "{table}" TO portal_staff USING (true) WITH CHECK (true)',
                            'DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conname = \'{table}_in_tenant\') THEN ALTER TABLE "{table}" ADD CONSTRAINT "{table}_in_tenant" UNIQUE (tenant_id, id); END IF; END $$',
                            'GRANT SELECT (id, tenant_id, provider, environment, actor_id, actor_name, state, proposal, expires_at, approved, opened, asked_at, ended_at, reason_code, entry_id), INSERT, UPDATE (state, approved) ON "{table}" TO portal_web',
                            'GRANT SELECT, UPDATE ON "{table}" TO portal_worker',
                            'GRANT SELECT (id, tenant_id, provider, environment, actor_name, state, expires_at, asked_at, ended_at, reason_code, entry_id) ON "{table}" TO portal_staff',
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
        migrations.CreateModel(
            name="AuthorizationAttempt",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("login", models.CharField(max_length=40, verbose_name="login")),
                ("checkpoint", models.CharField(blank=True, max_length=60, verbose_name="checkpoint")),
                ("state_digest", models.CharField(max_length=64)),
                ("session_digest", models.CharField(max_length=64)),
                ("actor_id", models.BigIntegerField(null=True)),
                ("actor_name", models.CharField(max_length=254, verbose_name="who")),
                ("redirect_uri", models.URLField(verbose_name="redirect address")),
                ("token_address", models.URLField(verbose_name="token address")),
                ("key_version", models.PositiveIntegerField(default=0)),
                ("verifier_ciphertext", models.BinaryField(null=True)),
                ("code_key_version", models.PositiveIntegerField(default=0)),
                ("code_ciphertext", models.BinaryField(null=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("started", "started"),
                            ("received", "answer received"),
                            ("exchanged", "connected"),
                            ("denied", "denied"),
                            ("failed", "failed"),
                        ],
                        default="started",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                ("started_at", models.DateTimeField(auto_now_add=True, verbose_name="started at")),
                ("consumed_at", models.DateTimeField(null=True, verbose_name="answered at")),
                ("ended_at", models.DateTimeField(null=True, verbose_name="ended at")),
                ("reason_code", models.CharField(blank=True, max_length=60, verbose_name="why")),
                ("entry_id", models.UUIDField(null=True, verbose_name="entry id")),
                (
                    "connection",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="attempts",
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
                "verbose_name": "authorisation",
                "verbose_name_plural": "authorisations",
                "ordering": ["-started_at"],
                "indexes": [
                    models.Index(fields=["tenant", "connection", "-started_at"], name="transport_attempt_newest")
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "state_digest"), name="transport_attempt_state"),
                    TableStatements(
                        name="transport_attempt_fence",
                        statements=[
                            'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY',
                            'CREATE POLICY owner ON "{table}" TO portal_owner USING (true) WITH CHECK (true)',
                            "CREATE POLICY tenant ON \"{table}\" TO portal_web, portal_worker USING (tenant_id = (SELECT NULLIF(current_setting('portal.tenant_id', true), '')::uuid)) WITH CHECK (tenant_id = (SELECT NULLIF(current_setting('portal.tenant_id', true), '')::uuid))",
                            'CREATE POLICY staff ON "{table}" TO portal_staff USING (true) WITH CHECK (true)',
                            'DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conname = \'{table}_in_tenant\') THEN ALTER TABLE "{table}" ADD CONSTRAINT "{table}_in_tenant" UNIQUE (tenant_id, id); END IF; END $$',
                            'GRANT SELECT (id, tenant_id, connection_id, login, checkpoint, state_digest, session_digest, actor_id, actor_name, redirect_uri, token_address, state, started_at, consumed_at, ended_at, reason_code, entry_id), INSERT, UPDATE (state, consumed_at, ended_at, reason_code, code_key_version, code_ciphertext) ON "{table}" TO portal_web',
                            'GRANT SELECT, UPDATE ON "{table}" TO portal_worker',
                            'GRANT SELECT (id, tenant_id, connection_id, login, checkpoint, actor_name, redirect_uri, state, started_at, consumed_at, ended_at, reason_code, entry_id) ON "{table}" TO portal_staff',
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
                        name="transport_attempt_connection_tenant",
                        statements=[
                            'ALTER TABLE "{table}" ADD CONSTRAINT "transport_attempt_connection_tenant" FOREIGN KEY (tenant_id, "{column}") REFERENCES "{target}" (tenant_id, id) DEFERRABLE INITIALLY DEFERRED'
                        ],
                        undo=['ALTER TABLE "{table}" DROP CONSTRAINT "transport_attempt_connection_tenant"'],
                    ),
                ],
            },
        ),
        migrations.AddConstraint(
            model_name="recording",
            constraint=models.UniqueConstraint(fields=("tenant", "connection"), name="transport_recording_one"),
        ),
        migrations.AddConstraint(
            model_name="recording",
            constraint=TableStatements(
                name="transport_recording_fence",
                statements=[
                    'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY',
                    'CREATE POLICY owner ON "{table}" TO portal_owner USING (true) WITH CHECK (true)',
                    "CREATE POLICY tenant ON \"{table}\" TO portal_web, portal_worker USING (tenant_id = (SELECT NULLIF(current_setting('portal.tenant_id', true), '')::uuid)) WITH CHECK (tenant_id = (SELECT NULLIF(current_setting('portal.tenant_id', true), '')::uuid))",
                    'DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conname = \'{table}_in_tenant\') THEN ALTER TABLE "{table}" ADD CONSTRAINT "{table}_in_tenant" UNIQUE (tenant_id, id); END IF; END $$',
                    'GRANT SELECT, INSERT, UPDATE (stopped_at), DELETE ON "{table}" TO portal_web',
                    'GRANT SELECT (id, tenant_id, connection_id, public_keyset, until_at, stopped_at, kept), UPDATE (kept), DELETE ON "{table}" TO portal_worker',
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
            model_name="recording",
            constraint=TableStatements(
                field="connection",
                name="transport_recording_connection_tenant",
                statements=[
                    'ALTER TABLE "{table}" ADD CONSTRAINT "transport_recording_connection_tenant" FOREIGN KEY (tenant_id, "{column}") REFERENCES "{target}" (tenant_id, id) DEFERRABLE INITIALLY DEFERRED'
                ],
                undo=['ALTER TABLE "{table}" DROP CONSTRAINT "transport_recording_connection_tenant"'],
            ),
        ),
        migrations.AddIndex(
            model_name="recordedcall",
            index=models.Index(fields=["tenant", "recording", "-at", "-id"], name="transport_recorded_newest"),
        ),
        migrations.AddConstraint(
            model_name="recordedcall",
            constraint=TableStatements(
                name="transport_recorded_fence",
                statements=[
                    'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY',
                    'CREATE POLICY owner ON "{table}" TO portal_owner USING (true) WITH CHECK (true)',
                    "CREATE POLICY tenant ON \"{table}\" TO portal_web, portal_worker USING (tenant_id = (SELECT NULLIF(current_setting('portal.tenant_id', true), '')::uuid)) WITH CHECK (tenant_id = (SELECT NULLIF(current_setting('portal.tenant_id', true), '')::uuid))",
                    'DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conname = \'{table}_in_tenant\') THEN ALTER TABLE "{table}" ADD CONSTRAINT "{table}_in_tenant" UNIQUE (tenant_id, id); END IF; END $$',
                    'GRANT SELECT, DELETE ON "{table}" TO portal_web',
                    'GRANT SELECT (id, tenant_id, recording_id), INSERT, DELETE ON "{table}" TO portal_worker',
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
            model_name="recordedcall",
            constraint=TableStatements(
                field="recording",
                name="transport_recorded_recording_tenant",
                statements=[
                    'ALTER TABLE "{table}" ADD CONSTRAINT "transport_recorded_recording_tenant" FOREIGN KEY (tenant_id, "{column}") REFERENCES "{target}" (tenant_id, id) DEFERRABLE INITIALLY DEFERRED'
                ],
                undo=['ALTER TABLE "{table}" DROP CONSTRAINT "transport_recorded_recording_tenant"'],
            ),
        ),
    ]
