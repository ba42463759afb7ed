"""Exports, their files, and the sealed pieces of these."""

import django.db.models.deletion
import django.utils.timezone
import uuid
from django.db import migrations, models

from connections.tenancy.row_security import TableStatements


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('tenancy', '0002_settings'),
        ('vault', '0004_schedules_take_over'),
    ]

    operations = [
        migrations.CreateModel(
            name='Export',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('stream', models.CharField(blank=True, max_length=40, verbose_name='stream')),
                ('format', models.CharField(choices=[('csv', 'CSV'), ('jsonl', 'JSON Lines'), ('parquet', 'Parquet')], max_length=10, verbose_name='format')),
                ('state', models.CharField(choices=[('queued', 'queued'), ('running', 'being written'), ('done', 'ready'), ('failed', 'failed'), ('cancelled', 'cancelled'), ('deleted', 'deleted')], default='queued', max_length=10, verbose_name='state')),
                ('reason', models.CharField(blank=True, choices=[('too-large', 'There is more than one export may hold. Export stream by stream, or choose Parquet.'), ('too-many-files', 'There are more streams than one export may hold. Export connection by connection.'), ('too-often', 'More was exported lately than may be. Try again tomorrow.'), ('no-room', 'Earlier exports take up the room there is. Delete one of them, then export again.'), ('broken', 'Something went wrong on our side, and our staff can see it. Try again later.'), ('not-allowed', 'This cannot be exported.')], max_length=20, verbose_name='reason')),
                ('asked_by', models.CharField(max_length=254, verbose_name='asked by')),
                ('asked_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='asked at')),
                ('ended_at', models.DateTimeField(null=True, verbose_name='ended at')),
                ('expected', models.PositiveBigIntegerField(default=0, verbose_name='expected')),
                ('looked', models.PositiveBigIntegerField(default=0, verbose_name='looked at')),
                ('written', models.PositiveBigIntegerField(default=0, verbose_name='written')),
                ('public_keyset', models.TextField()),
                ('wrapped_keyset', models.TextField()),
                ('connection', models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='exports', to='vault.connection')),
                ('tenant', models.ForeignKey(editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenancy.tenant')),
            ],
            options={
                'verbose_name': 'export',
                'verbose_name_plural': 'exports',
                'ordering': ['-asked_at', '-id'],
            },
        ),
        migrations.CreateModel(
            name='ExportFile',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('stream', models.CharField(max_length=40, verbose_name='stream')),
                ('part', models.PositiveIntegerField(default=1)),
                ('after', models.CharField(blank=True, max_length=120)),
                ('last', models.CharField(blank=True, max_length=120)),
                ('columns', models.JSONField(null=True)),
                ('records', models.PositiveBigIntegerField(default=0, verbose_name='records')),
                ('chunks', models.PositiveIntegerField(default=0)),
                ('size', models.PositiveBigIntegerField(default=0, verbose_name='size')),
                ('stored', models.PositiveBigIntegerField(default=0)),
                ('is_written', models.BooleanField(default=False)),
                ('begun_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('connection', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='vault.connection')),
                ('export', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, related_name='files', to='exports.export')),
                ('tenant', models.ForeignKey(editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenancy.tenant')),
            ],
            options={
                'verbose_name': 'exported file',
                'verbose_name_plural': 'exported files',
                'ordering': ['connection', 'stream', 'part'],
            },
        ),
        migrations.CreateModel(
            name='ExportChunk',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('place', models.PositiveIntegerField()),
                ('size', models.PositiveIntegerField()),
                ('ciphertext', models.BinaryField()),
                ('tenant', models.ForeignKey(editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenancy.tenant')),
                ('file', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, related_name='pieces', to='exports.exportfile')),
            ],
            options={
                'ordering': ['place'],
            },
        ),
        migrations.AddIndex(
            model_name='export',
            index=models.Index(fields=['tenant', '-asked_at', '-id'], name='exports_of_tenant'),
        ),
        migrations.AddConstraint(
            model_name='export',
            constraint=models.CheckConstraint(condition=models.Q(('stream', ''), ('connection__isnull', False), _connector='OR'), name='exports_stream_of_one'),
        ),
        migrations.AddConstraint(
            model_name='export',
            constraint=TableStatements(name='exports_export_fence', statements=['ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', 'CREATE POLICY owner ON "{table}" TO portal_owner USING (true) WITH CHECK (true)', 'CREATE POLICY tenant ON "{table}" TO portal_web, portal_worker USING (tenant_id = (SELECT NULLIF(current_setting(\'portal.tenant_id\', true), \'\')::uuid)) WITH CHECK (tenant_id = (SELECT NULLIF(current_setting(\'portal.tenant_id\', true), \'\')::uuid))', 'DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conname = \'{table}_in_tenant\') THEN ALTER TABLE "{table}" ADD CONSTRAINT "{table}_in_tenant" UNIQUE (tenant_id, id); END IF; END $$', 'GRANT SELECT, INSERT, UPDATE (state, ended_at, wrapped_keyset) ON "{table}" TO portal_web', 'GRANT SELECT (id, tenant_id, connection_id, stream, format, state, reason, asked_by, asked_at, ended_at, expected, looked, written, public_keyset), UPDATE (state, reason, ended_at, looked, written), DELETE ON "{table}" TO portal_worker'], undo=['DROP POLICY owner ON "{table}"', 'DROP POLICY tenant ON "{table}"', 'ALTER TABLE "{table}" NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY', 'REVOKE ALL ON "{table}" FROM portal_web, portal_worker, portal_staff']),
        ),
        migrations.AddConstraint(
            model_name='export',
            constraint=TableStatements(field='connection', name='exports_export_connection_tenant', statements=['ALTER TABLE "{table}" ADD CONSTRAINT "exports_export_connection_tenant" FOREIGN KEY (tenant_id, "{column}") REFERENCES "{target}" (tenant_id, id) DEFERRABLE INITIALLY DEFERRED'], undo=['ALTER TABLE "{table}" DROP CONSTRAINT "exports_export_connection_tenant"']),
        ),
        migrations.AddIndex(
            model_name='exportfile',
            index=models.Index(fields=['tenant', '-begun_at'], name='exports_begun'),
        ),
        migrations.AddConstraint(
            model_name='exportfile',
            constraint=models.UniqueConstraint(fields=('tenant', 'export', 'connection', 'stream', 'part'), name='exports_file_once'),
        ),
        migrations.AddConstraint(
            model_name='exportfile',
            constraint=TableStatements(name='exports_file_fence', statements=['ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', 'CREATE POLICY owner ON "{table}" TO portal_owner USING (true) WITH CHECK (true)', 'CREATE POLICY tenant ON "{table}" TO portal_web, portal_worker USING (tenant_id = (SELECT NULLIF(current_setting(\'portal.tenant_id\', true), \'\')::uuid)) WITH CHECK (tenant_id = (SELECT NULLIF(current_setting(\'portal.tenant_id\', true), \'\')::uuid))', 'DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conname = \'{table}_in_tenant\') THEN ALTER TABLE "{table}" ADD CONSTRAINT "{table}_in_tenant" UNIQUE (tenant_id, id); END IF; END $$', 'GRANT SELECT ON "{table}" TO portal_web', 'GRANT SELECT, INSERT, UPDATE, DELETE ON "{table}" TO portal_worker'], undo=['DROP POLICY owner ON "{table}"', 'DROP POLICY tenant ON "{table}"', 'ALTER TABLE "{table}" NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY', 'REVOKE ALL ON "{table}" FROM portal_web, portal_worker, portal_staff']),
        ),
        migrations.AddConstraint(
            model_name='exportfile',
            constraint=TableStatements(field='export', name='exports_file_export_tenant', statements=['ALTER TABLE "{table}" ADD CONSTRAINT "exports_file_export_tenant" FOREIGN KEY (tenant_id, "{column}") REFERENCES "{target}" (tenant_id, id) DEFERRABLE INITIALLY DEFERRED'], undo=['ALTER TABLE "{table}" DROP CONSTRAINT "exports_file_export_tenant"']),
        ),
        migrations.AddConstraint(
            model_name='exportfile',
            constraint=TableStatements(field='connection', name='exports_file_connection_tenant', statements=['ALTER TABLE "{table}" ADD CONSTRAINT "exports_file_connection_tenant" FOREIGN KEY (tenant_id, "{column}") REFERENCES "{target}" (tenant_id, id) DEFERRABLE INITIALLY DEFERRED'], undo=['ALTER TABLE "{table}" DROP CONSTRAINT "exports_file_connection_tenant"']),
        ),
        migrations.AddConstraint(
            model_name='exportchunk',
            constraint=models.UniqueConstraint(fields=('tenant', 'file', 'place'), name='exports_chunk_once'),
        ),
        migrations.AddConstraint(
            model_name='exportchunk',
            constraint=TableStatements(name='exports_chunk_fence', statements=['ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', 'CREATE POLICY owner ON "{table}" TO portal_owner USING (true) WITH CHECK (true)', 'CREATE POLICY tenant ON "{table}" TO portal_web, portal_worker USING (tenant_id = (SELECT NULLIF(current_setting(\'portal.tenant_id\', true), \'\')::uuid)) WITH CHECK (tenant_id = (SELECT NULLIF(current_setting(\'portal.tenant_id\', true), \'\')::uuid))', 'GRANT SELECT ON "{table}" TO portal_web', 'GRANT SELECT (id, tenant_id, file_id, place, size), INSERT, DELETE ON "{table}" TO portal_worker'], undo=['DROP POLICY owner ON "{table}"', 'DROP POLICY tenant ON "{table}"', 'ALTER TABLE "{table}" NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY', 'REVOKE ALL ON "{table}" FROM portal_web, portal_worker, portal_staff']),
        ),
        migrations.AddConstraint(
            model_name='exportchunk',
            constraint=TableStatements(field='file', name='exports_chunk_file_tenant', statements=['ALTER TABLE "{table}" ADD CONSTRAINT "exports_chunk_file_tenant" FOREIGN KEY (tenant_id, "{column}") REFERENCES "{target}" (tenant_id, id) DEFERRABLE INITIALLY DEFERRED'], undo=['ALTER TABLE "{table}" DROP CONSTRAINT "exports_chunk_file_tenant"']),
        ),
        # What is sealed cannot be made smaller: PostgreSQL need not try.
        migrations.RunSQL(
            'ALTER TABLE "exports_exportchunk" ALTER COLUMN "ciphertext" SET STORAGE EXTERNAL',
            migrations.RunSQL.noop,
        ),
    ]
