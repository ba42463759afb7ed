"""Schedules, and a row for each of their slots; a run may be paused."""

import django.db.models.deletion
import django.db.models.functions.datetime
import django.utils.timezone
import uuid
from django.db import migrations, models

from connections.tenancy.row_security import TableStatements


class Migration(migrations.Migration):

    dependencies = [
        ('sync', '0002_natural_key'),
        ('tenancy', '0002_settings'),
        ('vault', '0002_constraint_names'),
    ]

    operations = [
        migrations.CreateModel(
            name='Schedule',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('hand', 'only by hand'), ('interval', 'every so many hours'), ('times', 'at times of day')], default='interval', max_length=10, verbose_name='is read')),
                ('every_hours', models.PositiveSmallIntegerField(default=6, verbose_name='every (hours)')),
                ('anchor_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='hours counted from')),
                ('times', models.JSONField(default=list, verbose_name='times of day')),
                ('weekdays', models.JSONField(default=list, verbose_name='days of the week')),
                ('streams_left_out', models.JSONField(default=list, verbose_name='streams that are not read')),
                ('settled_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='settled up to')),
            ],
            options={
                'verbose_name': 'schedule',
                'verbose_name_plural': 'schedules',
            },
        ),
        migrations.CreateModel(
            name='ScheduleSlot',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('due_at', models.DateTimeField(verbose_name='due at')),
                ('outcome', models.CharField(choices=[('started', 'a sync was started'), ('joined', 'a sync was under way already'), ('missed', 'missed: no worker ran at that time'), ('held', 'nothing was read: syncs were held')], max_length=10, verbose_name='outcome')),
                ('noted_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='noted at')),
            ],
            options={
                'verbose_name': 'slot of a schedule',
                'verbose_name_plural': 'slots of schedules',
                'ordering': ['-due_at'],
            },
        ),
        migrations.RemoveConstraint(
            model_name='syncrun',
            name='sync_one_active_run',
        ),
        migrations.AlterField(
            model_name='syncrun',
            name='state',
            field=models.CharField(choices=[('queued', 'queued'), ('running', 'running'), ('waiting', 'waiting'), ('paused', 'paused'), ('succeeded', 'succeeded'), ('incomplete', 'incomplete'), ('failed', 'failed'), ('cancelled', 'cancelled')], default='queued', max_length=12, verbose_name='state'),
        ),
        migrations.AddConstraint(
            model_name='syncrun',
            constraint=models.UniqueConstraint(condition=models.Q(('state__in', ('queued', 'running', 'waiting', 'paused'))), fields=('tenant', 'connection'), name='sync_one_active_run'),
        ),
        migrations.AddField(
            model_name='schedule',
            name='connection',
            field=models.OneToOneField(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, related_name='schedule', to='vault.connection'),
        ),
        migrations.AddField(
            model_name='schedule',
            name='tenant',
            field=models.ForeignKey(editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenancy.tenant'),
        ),
        migrations.AddField(
            model_name='scheduleslot',
            name='connection',
            field=models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='vault.connection'),
        ),
        migrations.AddField(
            model_name='scheduleslot',
            name='run',
            field=models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='sync.syncrun'),
        ),
        migrations.AddField(
            model_name='scheduleslot',
            name='tenant',
            field=models.ForeignKey(editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenancy.tenant'),
        ),
        migrations.AddConstraint(
            model_name='schedule',
            constraint=models.CheckConstraint(condition=models.Q(('every_hours__range', (1, 168))), name='sync_schedule_hours'),
        ),
        migrations.AddConstraint(
            model_name='schedule',
            constraint=TableStatements(name='sync_schedule_fence', statements=['ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', 'CREATE POLICY owner ON "{table}" TO portal_owner USING (true) WITH CHECK (true)', 'CREATE POLICY tenant ON "{table}" TO portal_web, portal_worker USING (tenant_id = (SELECT NULLIF(current_setting(\'portal.tenant_id\', true), \'\')::uuid)) WITH CHECK (tenant_id = (SELECT NULLIF(current_setting(\'portal.tenant_id\', true), \'\')::uuid))', 'CREATE POLICY staff ON "{table}" TO portal_staff USING (true) WITH CHECK (true)', 'GRANT SELECT, INSERT, UPDATE (kind, every_hours, anchor_at, times, weekdays, streams_left_out, settled_at) ON "{table}" TO portal_web', 'GRANT SELECT, INSERT, UPDATE (settled_at) ON "{table}" TO portal_worker', 'GRANT SELECT ON "{table}" TO portal_staff'], undo=['DROP POLICY owner ON "{table}"', 'DROP POLICY tenant ON "{table}"', 'DROP POLICY staff ON "{table}"', 'ALTER TABLE "{table}" NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY', 'REVOKE ALL ON "{table}" FROM portal_web, portal_worker, portal_staff']),
        ),
        migrations.AddConstraint(
            model_name='schedule',
            constraint=TableStatements(field='connection', name='sync_schedule_connection_tenant', statements=['ALTER TABLE "{table}" ADD CONSTRAINT "sync_schedule_connection_tenant" FOREIGN KEY (tenant_id, "{column}") REFERENCES "{target}" (tenant_id, id) DEFERRABLE INITIALLY DEFERRED'], undo=['ALTER TABLE "{table}" DROP CONSTRAINT "sync_schedule_connection_tenant"']),
        ),
        migrations.AddIndex(
            model_name='scheduleslot',
            index=models.Index(fields=['due_at'], name='sync_slot_age'),
        ),
        migrations.AddConstraint(
            model_name='scheduleslot',
            constraint=models.UniqueConstraint(fields=('tenant', 'connection', 'due_at'), name='sync_slot_once'),
        ),
        migrations.AddConstraint(
            model_name='scheduleslot',
            constraint=TableStatements(name='sync_slot_fence', statements=['ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', 'CREATE POLICY owner ON "{table}" TO portal_owner USING (true) WITH CHECK (true)', 'CREATE POLICY tenant ON "{table}" TO portal_web, portal_worker USING (tenant_id = (SELECT NULLIF(current_setting(\'portal.tenant_id\', true), \'\')::uuid)) WITH CHECK (tenant_id = (SELECT NULLIF(current_setting(\'portal.tenant_id\', true), \'\')::uuid))', 'CREATE POLICY staff ON "{table}" TO portal_staff USING (true) WITH CHECK (true)', 'GRANT SELECT ON "{table}" TO portal_web', 'GRANT SELECT, INSERT ON "{table}" TO portal_worker', 'GRANT SELECT ON "{table}" TO portal_staff'], undo=['DROP POLICY owner ON "{table}"', 'DROP POLICY tenant ON "{table}"', 'DROP POLICY staff ON "{table}"', 'ALTER TABLE "{table}" NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY', 'REVOKE ALL ON "{table}" FROM portal_web, portal_worker, portal_staff']),
        ),
        migrations.AddConstraint(
            model_name='scheduleslot',
            constraint=TableStatements(field='connection', name='sync_slot_connection_tenant', statements=['ALTER TABLE "{table}" ADD CONSTRAINT "sync_slot_connection_tenant" FOREIGN KEY (tenant_id, "{column}") REFERENCES "{target}" (tenant_id, id) DEFERRABLE INITIALLY DEFERRED'], undo=['ALTER TABLE "{table}" DROP CONSTRAINT "sync_slot_connection_tenant"']),
        ),
        migrations.AddConstraint(
            model_name='scheduleslot',
            constraint=TableStatements(field='run', name='sync_slot_run_tenant', statements=['ALTER TABLE "{table}" ADD CONSTRAINT "sync_slot_run_tenant" FOREIGN KEY (tenant_id, "{column}") REFERENCES "{target}" (tenant_id, id) DEFERRABLE INITIALLY DEFERRED'], undo=['ALTER TABLE "{table}" DROP CONSTRAINT "sync_slot_run_tenant"']),
        ),
    ]
