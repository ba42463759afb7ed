"""The tables of this app as they were when its first migrations were put into one. Never edited: add a migration."""

import uuid

import django.db.models.deletion
from django.db import migrations, models

from connections.tenancy.row_security import TableStatements


class Migration(migrations.Migration):
    initial = True

    replaces = [
        ("onboarding", "0001_initial"),
        ("onboarding", "0002_rights_of_workers"),
        ("onboarding", "0003_activation_consents"),
        ("onboarding", "0004_completion_is_the_workers"),
        ("onboarding", "0005_unconfirmed_marks"),
        ("onboarding", "0006_what_is_only_unconfirmed"),
    ]

    dependencies = [
        ("tenancy", "0001_squashed"),
        ("transport", "0001_squashed"),
        ("vault", "0001_squashed"),
    ]

    operations = [
        migrations.CreateModel(
            name="Onboarding",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("started_at", models.DateTimeField(auto_now_add=True, verbose_name="started at")),
                ("completed_at", models.DateTimeField(null=True, verbose_name="completed at")),
                (
                    "connection",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="onboarding",
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
                "verbose_name": "onboarding",
                "verbose_name_plural": "onboardings",
            },
        ),
        migrations.CreateModel(
            name="Mark",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("checkpoint", models.CharField(max_length=60, verbose_name="checkpoint")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("open", "open"),
                            ("unconfirmed", "unconfirmed"),
                            ("attested", "attested"),
                            ("inferred", "inferred"),
                            ("verified", "verified"),
                            ("failing", "failing"),
                            ("waived", "waived"),
                        ],
                        default="open",
                        max_length=12,
                        verbose_name="state",
                    ),
                ),
                ("since", models.DateTimeField(auto_now_add=True, verbose_name="since")),
                ("asked_at", models.DateTimeField(null=True, verbose_name="check asked at")),
                ("checked_at", models.DateTimeField(null=True, verbose_name="checked at")),
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
                    "onboarding",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="marks",
                        to="onboarding.onboarding",
                    ),
                ),
            ],
            options={
                "verbose_name": "mark",
                "verbose_name_plural": "marks",
            },
        ),
        migrations.CreateModel(
            name="ActivationConsent",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("digest", models.CharField(blank=True, editable=False, max_length=64)),
                ("asked_by", models.CharField(max_length=254, verbose_name="asked by")),
                ("asked_at", models.DateTimeField(auto_now_add=True, verbose_name="asked at")),
                ("expires_at", models.DateTimeField(null=True, verbose_name="valid until")),
                ("confirmed_at", models.DateTimeField(null=True, verbose_name="confirmed at")),
                ("declined_at", models.DateTimeField(null=True, verbose_name="declined at")),
                (
                    "activation",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="transport.activationrequest",
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
                "verbose_name": "consent to an activation",
                "verbose_name_plural": "consents to activations",
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "activation"), name="onboarding_consent_once"),
                    TableStatements(
                        name="onboarding_consent_fence",
                        statements=[
                            'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY',
                            'CREATE POLICY owner ON "{table}" TO portal_owner USING (true) WITH CHECK (true)',
                            "CREATE POLICY tenant ON \"{table}\" TO portal_web, portal_worker USING (tenant_id = (SELECT NULLIF(current_setting('portal.tenant_id', true), '')::uuid)) WITH CHECK (tenant_id = (SELECT NULLIF(current_setting('portal.tenant_id', true), '')::uuid))",
                            'CREATE POLICY staff ON "{table}" TO portal_staff USING (true) WITH CHECK (true)',
                            'DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conname = \'{table}_in_tenant\') THEN ALTER TABLE "{table}" ADD CONSTRAINT "{table}_in_tenant" UNIQUE (tenant_id, id); END IF; END $$',
                            'GRANT SELECT, INSERT, UPDATE (digest, asked_by, asked_at, expires_at, confirmed_at, declined_at) ON "{table}" TO portal_web',
                            'GRANT SELECT ON "{table}" TO portal_worker',
                            'GRANT SELECT (id, tenant_id, activation_id, asked_by, asked_at, expires_at, confirmed_at, declined_at) ON "{table}" TO portal_staff',
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
                        field="activation",
                        name="onboarding_consent_activation_tenant",
                        statements=[
                            'ALTER TABLE "{table}" ADD CONSTRAINT "onboarding_consent_activation_tenant" FOREIGN KEY (tenant_id, "{column}") REFERENCES "{target}" (tenant_id, id) DEFERRABLE INITIALLY DEFERRED'
                        ],
                        undo=['ALTER TABLE "{table}" DROP CONSTRAINT "onboarding_consent_activation_tenant"'],
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Evidence",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("open", "open"),
                            ("unconfirmed", "unconfirmed"),
                            ("attested", "attested"),
                            ("inferred", "inferred"),
                            ("verified", "verified"),
                            ("failing", "failing"),
                            ("waived", "waived"),
                        ],
                        max_length=12,
                        verbose_name="state",
                    ),
                ),
                ("code", models.CharField(max_length=60)),
                ("values", models.JSONField(default=dict)),
                ("actor_name", models.CharField(blank=True, max_length=254, verbose_name="who")),
                ("entry_id", models.UUIDField(null=True, verbose_name="entry id")),
                (
                    "provider_request_id",
                    models.CharField(blank=True, max_length=140, verbose_name="provider request id"),
                ),
                ("at", models.DateTimeField(auto_now_add=True, verbose_name="time")),
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
                    "mark",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="evidence",
                        to="onboarding.mark",
                    ),
                ),
            ],
            options={
                "verbose_name": "evidence",
                "verbose_name_plural": "evidence",
                "ordering": ["-at", "-id"],
                "indexes": [models.Index(fields=["tenant", "mark", "-at"], name="onboarding_evidence_newest")],
                "constraints": [
                    TableStatements(
                        name="onboarding_evidence_fence",
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
                    TableStatements(
                        field="mark",
                        name="onboarding_evidence_mark_tenant",
                        statements=[
                            'ALTER TABLE "{table}" ADD CONSTRAINT "onboarding_evidence_mark_tenant" FOREIGN KEY (tenant_id, "{column}") REFERENCES "{target}" (tenant_id, id) DEFERRABLE INITIALLY DEFERRED'
                        ],
                        undo=['ALTER TABLE "{table}" DROP CONSTRAINT "onboarding_evidence_mark_tenant"'],
                    ),
                ],
            },
        ),
        migrations.AddConstraint(
            model_name="onboarding",
            constraint=TableStatements(
                name="onboarding_fence",
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
            model_name="onboarding",
            constraint=TableStatements(
                field="connection",
                name="onboarding_connection_tenant",
                statements=[
                    'ALTER TABLE "{table}" ADD CONSTRAINT "onboarding_connection_tenant" FOREIGN KEY (tenant_id, "{column}") REFERENCES "{target}" (tenant_id, id) DEFERRABLE INITIALLY DEFERRED'
                ],
                undo=['ALTER TABLE "{table}" DROP CONSTRAINT "onboarding_connection_tenant"'],
            ),
        ),
        migrations.AddConstraint(
            model_name="mark",
            constraint=models.UniqueConstraint(
                fields=("tenant", "onboarding", "checkpoint"), name="onboarding_mark_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="mark",
            constraint=TableStatements(
                name="onboarding_mark_fence",
                statements=[
                    'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY',
                    'CREATE POLICY owner ON "{table}" TO portal_owner USING (true) WITH CHECK (true)',
                    "CREATE POLICY tenant ON \"{table}\" TO portal_web, portal_worker USING (tenant_id = (SELECT NULLIF(current_setting('portal.tenant_id', true), '')::uuid)) WITH CHECK (tenant_id = (SELECT NULLIF(current_setting('portal.tenant_id', true), '')::uuid))",
                    'CREATE POLICY staff ON "{table}" TO portal_staff USING (true) WITH CHECK (true)',
                    'DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conname = \'{table}_in_tenant\') THEN ALTER TABLE "{table}" ADD CONSTRAINT "{table}_in_tenant" UNIQUE (tenant_id, id); END IF; END $$',
                    'GRANT SELECT, INSERT, UPDATE (state, since, asked_at, checked_at) ON "{table}" TO portal_web',
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
            model_name="mark",
            constraint=TableStatements(
                field="onboarding",
                name="onboarding_mark_tenant",
                statements=[
                    'ALTER TABLE "{table}" ADD CONSTRAINT "onboarding_mark_tenant" FOREIGN KEY (tenant_id, "{column}") REFERENCES "{target}" (tenant_id, id) DEFERRABLE INITIALLY DEFERRED'
                ],
                undo=['ALTER TABLE "{table}" DROP CONSTRAINT "onboarding_mark_tenant"'],
            ),
        ),
    ]
