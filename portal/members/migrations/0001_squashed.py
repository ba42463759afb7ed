"""The tables of this app as they were when its first migrations were put into one. Never edited: add a migration."""

import uuid

import django.db.models.deletion
import django.db.models.functions.text
from django.conf import settings
from django.db import migrations, models

from connections.tenancy.row_security import TableStatements


class Migration(migrations.Migration):
    initial = True

    replaces = [
        ("members", "0001_initial"),
        ("members", "0003_people_by_id_and_enrolment"),
        ("members", "0004_inviters_seeds_and_rights"),
        ("members", "0005_indexes_for_search"),
    ]

    dependencies = [
        ("tenancy", "0001_squashed"),
    ]

    operations = [
        migrations.CreateModel(
            name="User",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("password", models.CharField(max_length=128, verbose_name="password")),
                ("last_login", models.DateTimeField(blank=True, null=True, verbose_name="last login")),
                ("email", models.EmailField(max_length=254, unique=True, verbose_name="e-mail address")),
                ("name", models.CharField(blank=True, max_length=120, verbose_name="name")),
                (
                    "staff_role",
                    models.CharField(
                        blank=True,
                        choices=[("", "no staff"), ("support", "support"), ("admin", "admin")],
                        db_default="",
                        default="",
                        max_length=8,
                        verbose_name="staff role",
                    ),
                ),
                ("is_active", models.BooleanField(default=True, verbose_name="active")),
                ("joined_at", models.DateTimeField(auto_now_add=True, verbose_name="joined at")),
                ("time_zone", models.CharField(default="Europe/Helsinki", max_length=60, verbose_name="time zone")),
                ("session_epoch", models.PositiveIntegerField(db_default=0, default=0, editable=False)),
            ],
            options={
                "verbose_name": "person",
                "verbose_name_plural": "people",
                "constraints": [
                    models.UniqueConstraint(
                        django.db.models.functions.text.Lower("email"), name="members_user_email_once"
                    ),
                    TableStatements(
                        name="members_user_rights",
                        statements=[
                            'GRANT SELECT, INSERT (email, name, password, is_active, joined_at, time_zone, last_login, session_epoch), UPDATE (email, name, password, time_zone, last_login, session_epoch) ON "{table}" TO portal_web',
                            'GRANT SELECT (id, email, name, is_active, time_zone) ON "{table}" TO portal_worker',
                            'GRANT SELECT (id, email, name, staff_role, is_active, joined_at, time_zone, last_login, session_epoch), INSERT (email, name, staff_role, is_active, joined_at, time_zone, last_login, session_epoch), UPDATE (name, staff_role, is_active, session_epoch) ON "{table}" TO portal_staff',
                        ],
                        undo=['REVOKE ALL ON "{table}" FROM portal_web, portal_worker, portal_staff'],
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="LegacySeed",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("authenticator_id", models.BigIntegerField()),
                ("user_id", models.BigIntegerField()),
                ("digest", models.CharField(editable=False, max_length=64)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("authenticator_id", "digest"), name="members_legacy_seed_once"),
                    TableStatements(
                        name="members_legacy_seed_rights",
                        statements=['GRANT SELECT, DELETE ON "{table}" TO portal_web'],
                        undo=['REVOKE ALL ON "{table}" FROM portal_web, portal_worker, portal_staff'],
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="EnrolmentLink",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("digest", models.CharField(editable=False, max_length=64, unique=True)),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="made at")),
                ("expires_at", models.DateTimeField(verbose_name="valid until")),
                ("used_at", models.DateTimeField(editable=False, null=True, verbose_name="used at")),
                ("revoked_at", models.DateTimeField(editable=False, null=True, verbose_name="revoked at")),
                (
                    "made_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="made by",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="person",
                    ),
                ),
            ],
            options={
                "verbose_name": "link for a second factor",
                "verbose_name_plural": "links for second factors",
                "ordering": ["-created_at"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("made_by", None), models.Q(("made_by", models.F("user")), _negated=True), _connector="OR"
                        ),
                        name="members_enrolment_by_another",
                    ),
                    TableStatements(
                        name="members_enrolment_rights",
                        statements=[
                            'GRANT SELECT, UPDATE (used_at) ON "{table}" TO portal_web',
                            'GRANT SELECT, INSERT, UPDATE (revoked_at) ON "{table}" TO portal_staff',
                        ],
                        undo=['REVOKE ALL ON "{table}" FROM portal_web, portal_worker, portal_staff'],
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Invitation",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("email", models.EmailField(max_length=254, verbose_name="e-mail address")),
                (
                    "role",
                    models.CharField(
                        choices=[("owner", "owner"), ("operator", "operator"), ("viewer", "viewer")],
                        max_length=10,
                        verbose_name="role",
                    ),
                ),
                ("digest", models.CharField(editable=False, max_length=64, unique=True)),
                ("invited_by", models.CharField(max_length=254, verbose_name="invited by")),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="sent at")),
                ("expires_at", models.DateTimeField(verbose_name="valid until")),
                ("accepted_at", models.DateTimeField(editable=False, null=True, verbose_name="accepted at")),
                ("revoked_at", models.DateTimeField(editable=False, null=True, verbose_name="revoked at")),
                (
                    "inviter",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
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
                "verbose_name": "invitation",
                "verbose_name_plural": "invitations",
                "ordering": ["-created_at"],
                "indexes": [models.Index(fields=["email"], name="members_invitation_email")],
                "constraints": [
                    TableStatements(
                        name="members_invitation_fence",
                        statements=[
                            'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY',
                            'CREATE POLICY owner ON "{table}" TO portal_owner USING (true) WITH CHECK (true)',
                            "CREATE POLICY tenant ON \"{table}\" TO portal_web, portal_worker USING (tenant_id = (SELECT NULLIF(current_setting('portal.tenant_id', true), '')::uuid)) WITH CHECK (tenant_id = (SELECT NULLIF(current_setting('portal.tenant_id', true), '')::uuid))",
                            'CREATE POLICY staff ON "{table}" TO portal_staff USING (true) WITH CHECK (true)',
                            'DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conname = \'{table}_in_tenant\') THEN ALTER TABLE "{table}" ADD CONSTRAINT "{table}_in_tenant" UNIQUE (tenant_id, id); END IF; END $$',
                            'GRANT SELECT, INSERT, UPDATE (accepted_at, revoked_at) ON "{table}" TO portal_web',
                            'GRANT SELECT ON "{table}" TO portal_worker',
                            'GRANT SELECT, INSERT, UPDATE (revoked_at) ON "{table}" TO portal_staff',
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
            name="Membership",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                (
                    "role",
                    models.CharField(
                        choices=[("owner", "owner"), ("operator", "operator"), ("viewer", "viewer")],
                        max_length=10,
                        verbose_name="role",
                    ),
                ),
                ("joined_at", models.DateTimeField(auto_now_add=True, verbose_name="joined at")),
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
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="memberships",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="person",
                    ),
                ),
            ],
            options={
                "verbose_name": "membership",
                "verbose_name_plural": "memberships",
                "ordering": ["joined_at"],
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "user"), name="members_membership_once"),
                    TableStatements(
                        name="members_membership_fence",
                        statements=[
                            'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY',
                            'CREATE POLICY owner ON "{table}" TO portal_owner USING (true) WITH CHECK (true)',
                            "CREATE POLICY tenant ON \"{table}\" TO portal_web, portal_worker USING (tenant_id = (SELECT NULLIF(current_setting('portal.tenant_id', true), '')::uuid)) WITH CHECK (tenant_id = (SELECT NULLIF(current_setting('portal.tenant_id', true), '')::uuid))",
                            "CREATE POLICY person ON \"{table}\" FOR SELECT TO portal_web USING (user_id = (SELECT NULLIF(current_setting('portal.user_id', true), '')::bigint))",
                            'CREATE POLICY staff ON "{table}" TO portal_staff USING (true) WITH CHECK (true)',
                            'DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conname = \'{table}_in_tenant\') THEN ALTER TABLE "{table}" ADD CONSTRAINT "{table}_in_tenant" UNIQUE (tenant_id, id); END IF; END $$',
                            'GRANT SELECT, INSERT, UPDATE (role), DELETE ON "{table}" TO portal_web',
                            'GRANT SELECT ON "{table}" TO portal_worker',
                            'GRANT SELECT, INSERT, UPDATE (role), DELETE ON "{table}" TO portal_staff',
                        ],
                        undo=[
                            'DROP POLICY owner ON "{table}"',
                            'DROP POLICY tenant ON "{table}"',
                            'DROP POLICY person ON "{table}"',
                            'DROP POLICY staff ON "{table}"',
                            'ALTER TABLE "{table}" NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY',
                            'REVOKE ALL ON "{table}" FROM portal_web, portal_worker, portal_staff',
                        ],
                    ),
                ],
            },
        ),
        # A person whom staff add has no password yet, and staff have no right on that column.
        migrations.RunSQL(
            "ALTER TABLE members_user ALTER COLUMN password SET DEFAULT '!'",
            "ALTER TABLE members_user ALTER COLUMN password DROP DEFAULT",
        ),
    ]
