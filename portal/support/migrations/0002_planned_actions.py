"""What staff set going, the rows that it is about, and notes on connections."""

import uuid

import django.db.models.deletion
from django.db import migrations, models

from connections.tenancy.row_security import TableStatements


class Migration(migrations.Migration):

    dependencies = [
        ('support', '0001_saved_views'),
        ('tenancy', '0003_searched_names'),
        ('vault', '0006_searched_names'),
    ]

    operations = [
        migrations.CreateModel(
            name='ActionPlan',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('action', models.CharField(choices=[('sync', 'sync again'), ('check', 'check again'), ('cancel', 'cancel the run'), ('ask', 'ask the customer by mail'), ('queue', 'queue again what was given up'), ('mail', 'send the mail again')], max_length=10, verbose_name='what is done')),
                ('chosen_by', models.CharField(blank=True, max_length=120, verbose_name='all with')),
                ('reason', models.CharField(blank=True, max_length=200, verbose_name='reason')),
                ('actor_id', models.BigIntegerField(verbose_name='who, by id')),
                ('actor_name', models.CharField(max_length=254, verbose_name='who')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='planned at')),
                ('started_at', models.DateTimeField(null=True, verbose_name='started at')),
                ('stopped_at', models.DateTimeField(null=True, verbose_name='stopped at')),
                ('stopped_by', models.CharField(blank=True, max_length=254, verbose_name='stopped by')),
                ('ended_at', models.DateTimeField(null=True, verbose_name='ended')),
            ],
            options={
                'verbose_name': 'action of staff',
                'verbose_name_plural': 'actions of staff',
                'indexes': [models.Index(fields=['-created_at', '-id'], name='support_plan_newest')],
                'constraints': [TableStatements(name='support_plan_rights', statements=['GRANT SELECT, UPDATE (ended_at) ON "{table}" TO portal_worker', 'GRANT SELECT, INSERT, UPDATE (reason, started_at, stopped_at, stopped_by) ON "{table}" TO portal_staff'], undo=['REVOKE ALL ON "{table}" FROM portal_web, portal_worker, portal_staff'])],
            },
        ),
        migrations.CreateModel(
            name='ActionItem',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('subject', models.UUIDField(verbose_name='about')),
                ('place', models.PositiveIntegerField(verbose_name='place')),
                ('state', models.CharField(choices=[('waiting', 'to come'), ('done', 'done'), ('needless', 'not needed any more'), ('refused', 'refused')], default='waiting', max_length=8, verbose_name='state')),
                ('answer', models.CharField(blank=True, max_length=300, verbose_name='why')),
                ('ended_at', models.DateTimeField(null=True, verbose_name='ended')),
                ('tenant', models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenancy.tenant')),
                ('plan', models.ForeignKey(editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='items', to='support.actionplan')),
            ],
            options={
                'verbose_name': 'item of an action',
                'verbose_name_plural': 'items of actions',
                'ordering': ['place'],
                'indexes': [models.Index(condition=models.Q(('state', 'waiting')), fields=['plan', 'place'], name='support_item_next')],
                'constraints': [models.UniqueConstraint(fields=('plan', 'place'), name='support_item_once'), TableStatements(name='support_item_rights', statements=['GRANT SELECT, UPDATE (state, answer, ended_at) ON "{table}" TO portal_worker', 'GRANT SELECT, INSERT ON "{table}" TO portal_staff'], undo=['REVOKE ALL ON "{table}" FROM portal_web, portal_worker, portal_staff'])],
            },
        ),
        migrations.CreateModel(
            name='ConnectionNote',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('text', models.TextField(max_length=2000, verbose_name='note')),
                ('author_name', models.CharField(max_length=254, verbose_name='who')),
                ('written_at', models.DateTimeField(auto_now_add=True, verbose_name='written at')),
                ('connection', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='vault.connection')),
                ('tenant', models.ForeignKey(editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenancy.tenant')),
            ],
            options={
                'verbose_name': 'note on a connection',
                'verbose_name_plural': 'notes on connections',
                'ordering': ['-written_at', '-id'],
                'indexes': [models.Index(fields=['tenant', 'connection', '-written_at'], name='support_note_of_connection')],
                'constraints': [TableStatements(name='support_note_fence', statements=['ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', 'CREATE POLICY owner ON "{table}" TO portal_owner USING (true) WITH CHECK (true)', 'CREATE POLICY tenant ON "{table}" TO portal_web, portal_worker USING (tenant_id = (SELECT NULLIF(current_setting(\'portal.tenant_id\', true), \'\')::uuid)) WITH CHECK (tenant_id = (SELECT NULLIF(current_setting(\'portal.tenant_id\', true), \'\')::uuid))', 'CREATE POLICY staff ON "{table}" TO portal_staff USING (true) WITH CHECK (true)', 'GRANT SELECT, INSERT ON "{table}" TO portal_staff'], undo=['DROP POLICY owner ON "{table}"', 'DROP POLICY tenant ON "{table}"', 'DROP POLICY staff ON "{table}"', 'ALTER TABLE "{table}" NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY', 'REVOKE ALL ON "{table}" FROM portal_web, portal_worker, portal_staff']), TableStatements(field='connection', name='support_note_connection_tenant', statements=['ALTER TABLE "{table}" ADD CONSTRAINT "support_note_connection_tenant" FOREIGN KEY (tenant_id, "{column}") REFERENCES "{target}" (tenant_id, id) DEFERRABLE INITIALLY DEFERRED'], undo=['ALTER TABLE "{table}" DROP CONSTRAINT "support_note_connection_tenant"'])],
            },
        ),
    ]
