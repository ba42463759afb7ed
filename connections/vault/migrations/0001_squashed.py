"""The tables of this app as they were when its first migrations were put into one. Never edited: add a migration."""

import uuid

import django.contrib.postgres.indexes
import django.core.validators
import django.db.models.deletion
import django.db.models.fields.json
from django.db import migrations, models

from connections.tenancy.row_security import TableStatements


class Migration(migrations.Migration):
    initial = True

    replaces = [
        ("vault", "0001_initial"),
        ("vault", "0002_ways_and_pins"),
        ("vault", "0003_grant_waits"),
        ("vault", "0004_private_networks"),
        ("vault", "0005_bound_secrets"),
        ("vault", "0006_carry_over"),
        ("vault", "0007_exemptions_have_a_table"),
        ("vault", "0008_refusal_waits"),
        ("vault", "0009_way_is_chosen_once"),
        ("vault", "0010_refusal_of_a_refresh_token"),
        ("vault", "0011_activation_link"),
        ("vault", "0012_indexes_for_search"),
        ("vault", "0013_plain_words"),
    ]

    dependencies = [
        ("tenancy", "0001_squashed"),
    ]

    operations = [
        migrations.CreateModel(
            name="ClientRegistration",
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
                ("client_id", models.CharField(max_length=200, verbose_name="client id")),
                (
                    "redirect_uri",
                    models.URLField(
                        blank=True,
                        help_text="Exactly as registered at the provider. Leave empty if none was registered.",
                        verbose_name="redirect address",
                    ),
                ),
                (
                    "activation_link",
                    models.URLField(
                        blank=True,
                        help_text="Where customers choose several companies at once, as the provider told us. Shown to customers.",
                        max_length=500,
                        verbose_name="activation link",
                    ),
                ),
                (
                    "api_version",
                    models.CharField(
                        blank=True,
                        help_text="Stands in the address of every call. Leave empty for the provider's default.",
                        max_length=20,
                        validators=[django.core.validators.RegexValidator("^[A-Za-z0-9._-]*\\Z")],
                        verbose_name="API version",
                    ),
                ),
                ("key_version", models.PositiveIntegerField(default=0, editable=False)),
                ("secret_ciphertext", models.BinaryField(default=bytes)),
                (
                    "secret_hint",
                    models.CharField(blank=True, editable=False, max_length=8, verbose_name="client secret"),
                ),
                ("changed_at", models.DateTimeField(auto_now=True, verbose_name="changed at")),
            ],
            options={
                "verbose_name": "client registration",
                "verbose_name_plural": "client registrations",
                "constraints": [
                    models.UniqueConstraint(fields=("provider", "environment"), name="vault_registration_place"),
                    TableStatements(
                        name="vault_registration_rights",
                        statements=[
                            'GRANT SELECT (id, provider, environment, client_id, redirect_uri, activation_link, api_version, changed_at) ON "{table}" TO portal_web',
                            'GRANT SELECT, UPDATE (key_version, secret_ciphertext) ON "{table}" TO portal_worker',
                            'GRANT SELECT (id, provider, environment, client_id, redirect_uri, activation_link, api_version, secret_hint, key_version, changed_at), INSERT, UPDATE (client_id, redirect_uri, activation_link, api_version, key_version, secret_ciphertext, secret_hint, changed_at), DELETE ON "{table}" TO portal_staff',
                        ],
                        undo=['REVOKE ALL ON "{table}" FROM portal_web, portal_worker, portal_staff'],
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Connection",
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
                ("auth_method", models.CharField(default="", max_length=40, verbose_name="auth method")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("setup", "being set up"),
                            ("connected", "connected"),
                            ("broken", "needs attention"),
                            ("paused", "paused"),
                            ("disconnected", "disconnected"),
                        ],
                        default="setup",
                        max_length=12,
                        verbose_name="state",
                    ),
                ),
                ("settings", models.JSONField(blank=True, default=dict, verbose_name="settings")),
                ("moved_at", models.DateTimeField(null=True, verbose_name="server changed at")),
                (
                    "leaving",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("under-way", "being revoked"),
                            ("revoked", "revoked at the provider"),
                            ("not-offered", "the provider offers no way to revoke it"),
                            ("failed", "could not be revoked at the provider"),
                            ("nothing", "there was nothing to revoke"),
                        ],
                        max_length=12,
                        verbose_name="access at the provider",
                    ),
                ),
                ("left_at", models.DateTimeField(null=True, verbose_name="disconnected at")),
                ("company_id", models.CharField(blank=True, max_length=600, verbose_name="company id")),
                ("company_name", models.CharField(blank=True, max_length=200, verbose_name="company")),
                ("fault", models.CharField(blank=True, max_length=60, verbose_name="fault")),
                ("fault_at", models.DateTimeField(null=True, verbose_name="broken since")),
                ("sync_every_hours", models.PositiveSmallIntegerField(default=6, verbose_name="sync every (hours)")),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="created at")),
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
                "verbose_name": "connection",
                "verbose_name_plural": "connections",
                "ordering": ["created_at"],
            },
        ),
        migrations.CreateModel(
            name="Credential",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=40, verbose_name="name")),
                ("key_version", models.PositiveIntegerField()),
                ("ciphertext", models.BinaryField()),
                ("hint", models.CharField(blank=True, max_length=8, verbose_name="ends with")),
                ("changed_at", models.DateTimeField(verbose_name="changed at")),
                ("changed_by", models.CharField(max_length=254, verbose_name="changed by")),
                (
                    "connection",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="credentials",
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
                "verbose_name": "credential",
                "verbose_name_plural": "credentials",
            },
        ),
        migrations.CreateModel(
            name="Grant",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("key_version", models.PositiveIntegerField(default=0)),
                ("access_ciphertext", models.BinaryField(null=True)),
                ("refresh_key_version", models.PositiveIntegerField(default=0)),
                ("refresh_ciphertext", models.BinaryField(null=True)),
                ("token_type", models.CharField(blank=True, max_length=40, verbose_name="token type")),
                ("scope", models.CharField(blank=True, max_length=400, verbose_name="scope")),
                ("issued_at", models.DateTimeField(null=True, verbose_name="issued at")),
                ("expires_at", models.DateTimeField(null=True, verbose_name="expires at")),
                ("refresh_issued_at", models.DateTimeField(null=True, verbose_name="refresh token issued at")),
                ("client_id", models.CharField(blank=True, max_length=200, verbose_name="client id")),
                ("uncertain_at", models.DateTimeField(null=True, verbose_name="answer lost at")),
                ("refresh_refused_at", models.DateTimeField(null=True, verbose_name="refresh token refused at")),
                ("generation", models.BigIntegerField(default=0, verbose_name="generation")),
                ("claimed_by", models.CharField(blank=True, max_length=120, verbose_name="claimed by")),
                ("claimed_until", models.DateTimeField(null=True, verbose_name="claimed until")),
                ("refused_at", models.DateTimeField(null=True, verbose_name="refused at")),
                ("refused_fault", models.CharField(blank=True, max_length=60, verbose_name="fault")),
                ("refused_entry", models.UUIDField(null=True, verbose_name="entry id")),
                ("refused_with", models.CharField(blank=True, max_length=64)),
                ("failures", models.PositiveSmallIntegerField(default=0, verbose_name="failures in a row")),
                ("ask_after", models.DateTimeField(null=True, verbose_name="not to be asked before")),
                ("refusals", models.PositiveSmallIntegerField(default=0, verbose_name="refusals in a row")),
                ("wait_until", models.DateTimeField(null=True, verbose_name="not sent again before")),
                ("wait_with", models.CharField(blank=True, max_length=64)),
                (
                    "wait_operation",
                    models.CharField(blank=True, max_length=60, verbose_name="operation that was refused"),
                ),
                ("wait_is_alone", models.BooleanField(default=False, verbose_name="others are answered")),
                ("wait_fault", models.CharField(blank=True, max_length=60, verbose_name="fault of the refusal")),
                ("wait_entry", models.UUIDField(null=True, verbose_name="entry id of the refusal")),
                (
                    "connection",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="grant",
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
                "verbose_name": "grant",
                "verbose_name_plural": "grants",
            },
        ),
        migrations.CreateModel(
            name="LegacySeal",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("tenant_id", models.UUIDField(null=True)),
                ("table", models.CharField(max_length=63)),
                ("row", models.UUIDField()),
                ("field", models.CharField(max_length=63)),
                ("binding", models.TextField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("table", "row", "field"), name="vault_legacyseal_once"),
                    TableStatements(
                        name="vault_legacyseal_rights",
                        statements=['GRANT SELECT, DELETE ON "{table}" TO portal_worker'],
                        undo=['REVOKE ALL ON "{table}" FROM portal_web, portal_worker, portal_staff'],
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="NetworkExemption",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                (
                    "kind",
                    models.CharField(
                        choices=[("plain-http", "plain HTTP"), ("private-networks", "private networks")],
                        max_length=20,
                        verbose_name="allowed",
                    ),
                ),
                ("networks", models.JSONField(blank=True, default=list, verbose_name="networks")),
                ("reason", models.CharField(max_length=200, verbose_name="reason")),
                ("actor_id", models.BigIntegerField(null=True)),
                ("actor_name", models.CharField(max_length=254, verbose_name="allowed by")),
                ("granted_at", models.DateTimeField(auto_now_add=True, verbose_name="allowed at")),
                ("ended_at", models.DateTimeField(null=True, verbose_name="ended at")),
                (
                    "connection",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="exemptions",
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
                "verbose_name": "exemption",
                "verbose_name_plural": "exemptions",
                "ordering": ["-granted_at"],
            },
        ),
        migrations.CreateModel(
            name="Pin",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("host", models.CharField(max_length=260, verbose_name="host")),
                ("certificate", models.TextField(verbose_name="certificate")),
                ("sha256", models.CharField(max_length=95, verbose_name="SHA-256 fingerprint")),
                ("ends_at", models.DateTimeField(verbose_name="valid until")),
                ("seen_at", models.DateTimeField(verbose_name="seen at")),
                ("confirmed_at", models.DateTimeField(null=True, verbose_name="confirmed at")),
                ("confirmed_by", models.CharField(blank=True, max_length=254, verbose_name="confirmed by")),
                (
                    "connection",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="pins",
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
                "verbose_name": "pin",
                "verbose_name_plural": "pins",
            },
        ),
        migrations.CreateModel(
            name="PrivateKey",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("version", models.PositiveIntegerField()),
                ("wrapped_keyset", models.TextField()),
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
        ),
        migrations.CreateModel(
            name="SystemKey",
            fields=[
                ("version", models.PositiveIntegerField(primary_key=True, serialize=False, verbose_name="version")),
                ("public_keyset", models.TextField(verbose_name="public keyset")),
                ("made_at", models.DateTimeField(auto_now_add=True, verbose_name="made at")),
            ],
            options={
                "verbose_name": "system key",
                "verbose_name_plural": "system keys",
                "constraints": [
                    TableStatements(
                        name="vault_system_key_rights",
                        statements=[
                            'GRANT SELECT ON "{table}" TO portal_web',
                            'GRANT SELECT, INSERT, DELETE ON "{table}" TO portal_worker',
                            'GRANT SELECT ON "{table}" TO portal_staff',
                        ],
                        undo=['REVOKE ALL ON "{table}" FROM portal_web, portal_worker, portal_staff'],
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="SystemPrivateKey",
            fields=[
                ("version", models.PositiveIntegerField(primary_key=True, serialize=False)),
                ("wrapped_keyset", models.TextField()),
            ],
            options={
                "constraints": [
                    TableStatements(
                        name="vault_system_private_key_rights",
                        statements=['GRANT SELECT, INSERT, DELETE ON "{table}" TO portal_worker'],
                        undo=['REVOKE ALL ON "{table}" FROM portal_web, portal_worker, portal_staff'],
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="TenantKey",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("version", models.PositiveIntegerField(verbose_name="version")),
                ("public_keyset", models.TextField(verbose_name="public keyset")),
                ("made_at", models.DateTimeField(auto_now_add=True, verbose_name="made at")),
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
                "verbose_name": "tenant key",
                "verbose_name_plural": "tenant keys",
            },
        ),
        migrations.AddIndex(
            model_name="connection",
            index=models.Index(fields=["company_id"], name="vault_connection_company"),
        ),
        migrations.AddIndex(
            model_name="connection",
            index=models.Index(fields=["-created_at", "-id"], name="vault_connection_newest"),
        ),
        migrations.AddIndex(
            model_name="connection",
            index=models.Index(
                django.db.models.fields.json.KeyTextTransform("client_id", "settings"),
                name="vault_connection_client_id",
            ),
        ),
        migrations.AddIndex(
            model_name="connection",
            index=django.contrib.postgres.indexes.GinIndex(
                fields=["settings"], name="vault_connection_settings", opclasses=["jsonb_path_ops"]
            ),
        ),
        migrations.AddConstraint(
            model_name="connection",
            constraint=TableStatements(
                name="vault_connection_fence",
                statements=[
                    'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY',
                    'CREATE POLICY owner ON "{table}" TO portal_owner USING (true) WITH CHECK (true)',
                    "CREATE POLICY tenant ON \"{table}\" TO portal_web, portal_worker USING (tenant_id = (SELECT NULLIF(current_setting('portal.tenant_id', true), '')::uuid)) WITH CHECK (tenant_id = (SELECT NULLIF(current_setting('portal.tenant_id', true), '')::uuid))",
                    'CREATE POLICY staff ON "{table}" TO portal_staff USING (true) WITH CHECK (true)',
                    'DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conname = \'{table}_in_tenant\') THEN ALTER TABLE "{table}" ADD CONSTRAINT "{table}_in_tenant" UNIQUE (tenant_id, id); END IF; END $$',
                    'GRANT SELECT, INSERT, UPDATE (state, settings, moved_at, leaving, left_at, sync_every_hours, company_id, company_name, fault, fault_at) ON "{table}" TO portal_web',
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
            model_name="credential",
            constraint=models.UniqueConstraint(fields=("tenant", "connection", "name"), name="vault_credential_once"),
        ),
        migrations.AddConstraint(
            model_name="credential",
            constraint=TableStatements(
                name="vault_credential_fence",
                statements=[
                    'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY',
                    'CREATE POLICY owner ON "{table}" TO portal_owner USING (true) WITH CHECK (true)',
                    "CREATE POLICY tenant ON \"{table}\" TO portal_web, portal_worker USING (tenant_id = (SELECT NULLIF(current_setting('portal.tenant_id', true), '')::uuid)) WITH CHECK (tenant_id = (SELECT NULLIF(current_setting('portal.tenant_id', true), '')::uuid))",
                    'CREATE POLICY staff ON "{table}" TO portal_staff USING (true) WITH CHECK (true)',
                    'DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conname = \'{table}_in_tenant\') THEN ALTER TABLE "{table}" ADD CONSTRAINT "{table}_in_tenant" UNIQUE (tenant_id, id); END IF; END $$',
                    'GRANT SELECT (id, tenant_id, connection_id, name, hint, changed_at, changed_by), INSERT, UPDATE (key_version, ciphertext, hint, changed_at, changed_by), DELETE ON "{table}" TO portal_web',
                    'GRANT SELECT, INSERT, UPDATE, DELETE ON "{table}" TO portal_worker',
                    'GRANT SELECT (id, tenant_id, connection_id, name, hint, key_version, changed_at, changed_by) ON "{table}" TO portal_staff',
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
            model_name="credential",
            constraint=TableStatements(
                field="connection",
                name="vault_credential_connection_tenant",
                statements=[
                    'ALTER TABLE "{table}" ADD CONSTRAINT "vault_credential_connection_tenant" FOREIGN KEY (tenant_id, "{column}") REFERENCES "{target}" (tenant_id, id) DEFERRABLE INITIALLY DEFERRED'
                ],
                undo=['ALTER TABLE "{table}" DROP CONSTRAINT "vault_credential_connection_tenant"'],
            ),
        ),
        migrations.AddConstraint(
            model_name="grant",
            constraint=TableStatements(
                name="vault_grant_fence",
                statements=[
                    'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY',
                    'CREATE POLICY owner ON "{table}" TO portal_owner USING (true) WITH CHECK (true)',
                    "CREATE POLICY tenant ON \"{table}\" TO portal_web, portal_worker USING (tenant_id = (SELECT NULLIF(current_setting('portal.tenant_id', true), '')::uuid)) WITH CHECK (tenant_id = (SELECT NULLIF(current_setting('portal.tenant_id', true), '')::uuid))",
                    'CREATE POLICY staff ON "{table}" TO portal_staff USING (true) WITH CHECK (true)',
                    'DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conname = \'{table}_in_tenant\') THEN ALTER TABLE "{table}" ADD CONSTRAINT "{table}_in_tenant" UNIQUE (tenant_id, id); END IF; END $$',
                    'GRANT SELECT (id, tenant_id, connection_id, scope, issued_at, expires_at, refresh_issued_at, generation, refusals, wait_until), UPDATE (wait_until), DELETE ON "{table}" TO portal_web',
                    'GRANT SELECT, INSERT, UPDATE, DELETE ON "{table}" TO portal_worker',
                    'GRANT SELECT (id, tenant_id, connection_id, scope, issued_at, expires_at, refresh_issued_at, generation, refusals, wait_until) ON "{table}" TO portal_staff',
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
            model_name="grant",
            constraint=TableStatements(
                field="connection",
                name="vault_grant_connection_tenant",
                statements=[
                    'ALTER TABLE "{table}" ADD CONSTRAINT "vault_grant_connection_tenant" FOREIGN KEY (tenant_id, "{column}") REFERENCES "{target}" (tenant_id, id) DEFERRABLE INITIALLY DEFERRED'
                ],
                undo=['ALTER TABLE "{table}" DROP CONSTRAINT "vault_grant_connection_tenant"'],
            ),
        ),
        migrations.AddConstraint(
            model_name="networkexemption",
            constraint=models.UniqueConstraint(
                condition=models.Q(("ended_at", None)),
                fields=("tenant", "connection", "kind"),
                name="vault_exemption_one_stands",
            ),
        ),
        migrations.AddConstraint(
            model_name="networkexemption",
            constraint=TableStatements(
                name="vault_exemption_fence",
                statements=[
                    'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY',
                    'CREATE POLICY owner ON "{table}" TO portal_owner USING (true) WITH CHECK (true)',
                    "CREATE POLICY tenant ON \"{table}\" TO portal_web, portal_worker USING (tenant_id = (SELECT NULLIF(current_setting('portal.tenant_id', true), '')::uuid)) WITH CHECK (tenant_id = (SELECT NULLIF(current_setting('portal.tenant_id', true), '')::uuid))",
                    'CREATE POLICY staff ON "{table}" TO portal_staff USING (true) WITH CHECK (true)',
                    'DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conname = \'{table}_in_tenant\') THEN ALTER TABLE "{table}" ADD CONSTRAINT "{table}_in_tenant" UNIQUE (tenant_id, id); END IF; END $$',
                    'GRANT SELECT ON "{table}" TO portal_web',
                    'GRANT SELECT ON "{table}" TO portal_worker',
                    'GRANT SELECT, INSERT, UPDATE (ended_at) ON "{table}" TO portal_staff',
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
            model_name="networkexemption",
            constraint=TableStatements(
                field="connection",
                name="vault_exemption_connection_tenant",
                statements=[
                    'ALTER TABLE "{table}" ADD CONSTRAINT "vault_exemption_connection_tenant" FOREIGN KEY (tenant_id, "{column}") REFERENCES "{target}" (tenant_id, id) DEFERRABLE INITIALLY DEFERRED'
                ],
                undo=['ALTER TABLE "{table}" DROP CONSTRAINT "vault_exemption_connection_tenant"'],
            ),
        ),
        migrations.AddIndex(
            model_name="pin",
            index=models.Index(fields=["sha256"], name="vault_pin_fingerprint"),
        ),
        migrations.AddConstraint(
            model_name="pin",
            constraint=models.UniqueConstraint(
                fields=("tenant", "connection", "host", "sha256"), name="vault_pin_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="pin",
            constraint=TableStatements(
                name="vault_pin_fence",
                statements=[
                    'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY',
                    'CREATE POLICY owner ON "{table}" TO portal_owner USING (true) WITH CHECK (true)',
                    "CREATE POLICY tenant ON \"{table}\" TO portal_web, portal_worker USING (tenant_id = (SELECT NULLIF(current_setting('portal.tenant_id', true), '')::uuid)) WITH CHECK (tenant_id = (SELECT NULLIF(current_setting('portal.tenant_id', true), '')::uuid))",
                    'CREATE POLICY staff ON "{table}" TO portal_staff USING (true) WITH CHECK (true)',
                    'DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conname = \'{table}_in_tenant\') THEN ALTER TABLE "{table}" ADD CONSTRAINT "{table}_in_tenant" UNIQUE (tenant_id, id); END IF; END $$',
                    'GRANT SELECT, UPDATE (confirmed_at, confirmed_by), DELETE ON "{table}" TO portal_web',
                    'GRANT SELECT, INSERT, UPDATE, DELETE ON "{table}" TO portal_worker',
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
            model_name="pin",
            constraint=TableStatements(
                field="connection",
                name="vault_pin_connection_tenant",
                statements=[
                    'ALTER TABLE "{table}" ADD CONSTRAINT "vault_pin_connection_tenant" FOREIGN KEY (tenant_id, "{column}") REFERENCES "{target}" (tenant_id, id) DEFERRABLE INITIALLY DEFERRED'
                ],
                undo=['ALTER TABLE "{table}" DROP CONSTRAINT "vault_pin_connection_tenant"'],
            ),
        ),
        migrations.AddConstraint(
            model_name="privatekey",
            constraint=models.UniqueConstraint(fields=("tenant", "version"), name="vault_private_key_version"),
        ),
        migrations.AddConstraint(
            model_name="privatekey",
            constraint=TableStatements(
                name="vault_private_key_fence",
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
            model_name="tenantkey",
            constraint=models.UniqueConstraint(fields=("tenant", "version"), name="vault_tenant_key_version"),
        ),
        migrations.AddConstraint(
            model_name="tenantkey",
            constraint=TableStatements(
                name="vault_tenant_key_fence",
                statements=[
                    'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY',
                    'CREATE POLICY owner ON "{table}" TO portal_owner USING (true) WITH CHECK (true)',
                    "CREATE POLICY tenant ON \"{table}\" TO portal_web, portal_worker USING (tenant_id = (SELECT NULLIF(current_setting('portal.tenant_id', true), '')::uuid)) WITH CHECK (tenant_id = (SELECT NULLIF(current_setting('portal.tenant_id', true), '')::uuid))",
                    'CREATE POLICY staff ON "{table}" TO portal_staff USING (true) WITH CHECK (true)',
                    'DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conname = \'{table}_in_tenant\') THEN ALTER TABLE "{table}" ADD CONSTRAINT "{table}_in_tenant" UNIQUE (tenant_id, id); END IF; END $$',
                    'GRANT SELECT (id, tenant_id, version, public_keyset, made_at) ON "{table}" TO portal_web',
                    'GRANT SELECT, INSERT, DELETE ON "{table}" TO portal_worker',
                    'GRANT SELECT (id, tenant_id, version, made_at) ON "{table}" TO portal_staff',
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
    ]
