"""Records are known by their natural key, hold the text as it came, and are numbered by their changes.

One pass over the table: it is written anew without its random id, and its bodies become text. What has changed before this
is in the order of the old rows. The index over the key becomes the primary one, as it is.
"""

import django.db.models.deletion
from django.db import migrations, models

from connections.tenancy.row_security import TableStatements

RENEW = """
CREATE SEQUENCE sync_record_numbers;
ALTER TABLE sync_record DROP CONSTRAINT sync_record_connection_tenant;
DO $$
DECLARE
    old record;
BEGIN
    FOR old IN
        SELECT conname FROM pg_constraint WHERE conrelid = 'sync_record'::regclass AND contype IN ('f', 'p')
    LOOP
        EXECUTE format('ALTER TABLE sync_record DROP CONSTRAINT %I', old.conname);
    END LOOP;
END $$;
ALTER TABLE sync_record
    DROP COLUMN id,
    ALTER COLUMN body TYPE json USING body::text::json,
    ADD COLUMN checksum uuid,
    ADD COLUMN change_number bigint NOT NULL DEFAULT nextval('sync_record_numbers'),
    ADD COLUMN gone_at timestamptz;
ALTER TABLE sync_record ALTER COLUMN change_number DROP DEFAULT;
DROP SEQUENCE sync_record_numbers;
ALTER TABLE sync_record DROP CONSTRAINT sync_record_once;
ALTER TABLE sync_record ADD CONSTRAINT sync_record_pkey PRIMARY KEY (tenant_id, connection_id, stream, external_id);
CREATE INDEX sync_record_changes ON sync_record (tenant_id, change_number);
"""
NUMBER = """
INSERT INTO sync_changecounter (tenant_id, last) SELECT tenant_id, max(change_number) FROM sync_record GROUP BY tenant_id
"""
FENCE = [
    'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY',
    'CREATE POLICY owner ON "{table}" TO portal_owner USING (true) WITH CHECK (true)',
    "CREATE POLICY tenant ON \"{table}\" TO portal_web, portal_worker USING (tenant_id = (SELECT NULLIF(current_setting('portal.tenant_id', true), '')::uuid)) WITH CHECK (tenant_id = (SELECT NULLIF(current_setting('portal.tenant_id', true), '')::uuid))",
    'GRANT SELECT ON "{table}" TO portal_web',
]
NO_FENCE = [
    'DROP POLICY owner ON "{table}"',
    'DROP POLICY tenant ON "{table}"',
    'ALTER TABLE "{table}" NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY',
    'REVOKE ALL ON "{table}" FROM portal_web, portal_worker, portal_staff',
]


def tenant():
    return models.ForeignKey(
        db_constraint=False,
        db_index=False,
        editable=False,
        on_delete=django.db.models.deletion.CASCADE,
        related_name="+",
        to="tenancy.tenant",
    )


class Migration(migrations.Migration):
    dependencies = [
        ("sync", "0001_squashed"),
        ("tenancy", "0001_squashed"),
        ("vault", "0002_constraint_names"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(RENEW)],
            state_operations=[
                migrations.RemoveConstraint(model_name="record", name="sync_record_once"),
                migrations.RemoveConstraint(model_name="record", name="sync_record_connection_tenant"),
                migrations.RemoveField(model_name="record", name="id"),
                migrations.AddField("record", "change_number", models.BigIntegerField(default=None), False),
                migrations.AddField("record", "checksum", models.UUIDField(null=True)),
                migrations.AddField("record", "gone_at", models.DateTimeField(null=True, verbose_name="gone at")),
                migrations.AddField(
                    "record",
                    "pk",
                    models.CompositePrimaryKey(
                        "tenant",
                        "connection",
                        "stream",
                        "external_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                migrations.AlterField("record", "tenant", tenant()),
                migrations.AddIndex(
                    "record", models.Index(fields=["tenant", "change_number"], name="sync_record_changes")
                ),
                migrations.AddConstraint(
                    "record",
                    TableStatements(field="connection", name="sync_record_connection_tenant", statements=[], undo=[]),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ChangeCounter",
            fields=[
                (
                    "tenant",
                    models.OneToOneField(
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="tenancy.tenant",
                    ),
                ),
                ("last", models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="RecordVersion",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "tenant",
                        "connection",
                        "stream",
                        "external_id",
                        "change_number",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("tenant", tenant()),
                (
                    "connection",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="record_versions",
                        to="vault.connection",
                    ),
                ),
                ("stream", models.CharField(max_length=40)),
                ("external_id", models.CharField(max_length=120)),
                ("change_number", models.BigIntegerField()),
                ("body", models.JSONField()),
                ("changed_at", models.DateTimeField()),
                ("replaced_at", models.DateTimeField()),
            ],
        ),
        migrations.RunSQL("ALTER TABLE sync_recordversion ALTER COLUMN body TYPE json USING body::text::json"),
        migrations.AddIndex(
            "recordversion", models.Index(fields=["replaced_at"], name="sync_version_by_age")
        ),
        migrations.RunSQL(NUMBER),
        migrations.AddConstraint(
            "changecounter",
            TableStatements(
                name="sync_counter_fence",
                statements=[*FENCE, 'GRANT SELECT, INSERT, UPDATE (last) ON "{table}" TO portal_worker'],
                undo=NO_FENCE,
            ),
        ),
        migrations.AddConstraint(
            "recordversion",
            TableStatements(
                name="sync_version_fence",
                statements=[*FENCE, 'GRANT SELECT, INSERT ON "{table}" TO portal_worker'],
                undo=NO_FENCE,
            ),
        ),
        migrations.AddConstraint(
            "recordversion",
            TableStatements(field="connection", name="sync_version_connection_tenant", statements=[], undo=[]),
        ),
    ]
