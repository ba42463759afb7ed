"""Incidents, outages, what people choose to be mailed, the notices that wait, and the subscriptions of staff."""

import django.contrib.postgres.fields
import django.db.models.deletion
import uuid
from django.conf import settings
from django.db import migrations, models

from connections.tenancy.row_security import TableStatements


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('members', '0002_rights'),
        ('tenancy', '0002_settings'),
        ('vault', '0004_schedules_take_over'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Outage',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('provider', models.CharField(max_length=40, verbose_name='provider')),
                ('environment', models.CharField(choices=[('production', 'production'), ('test', 'test server'), ('sandbox', 'sandbox')], max_length=12, verbose_name='environment')),
                ('opened_at', models.DateTimeField(verbose_name='since')),
                ('customers_told_at', models.DateTimeField(null=True, verbose_name='customers told at')),
                ('closed_at', models.DateTimeField(null=True, verbose_name='over since')),
            ],
            options={
                'verbose_name': 'outage',
                'verbose_name_plural': 'outages',
                'ordering': ['-opened_at', '-id'],
                'indexes': [models.Index(fields=['-opened_at', '-id'], name='incidents_outage_newest')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('closed_at', None)), fields=('provider', 'environment'), name='incidents_outage_open_once'), TableStatements(name='incidents_outage_rights', statements=['GRANT SELECT ON "{table}" TO portal_web', 'GRANT SELECT, INSERT, UPDATE ON "{table}" TO portal_worker', 'GRANT SELECT ON "{table}" TO portal_staff'], undo=['REVOKE ALL ON "{table}" FROM portal_web, portal_worker, portal_staff'])],
            },
        ),
        migrations.CreateModel(
            name='StaffSubscription',
            fields=[
                ('user', models.OneToOneField(editable=False, on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='+', serialize=False, to=settings.AUTH_USER_MODEL)),
                ('since', models.DateTimeField(auto_now_add=True, verbose_name='since')),
            ],
            options={
                'verbose_name': 'subscription of staff',
                'verbose_name_plural': 'subscriptions of staff',
                'constraints': [TableStatements(name='incidents_subscription_rights', statements=['GRANT SELECT, INSERT, DELETE ON "{table}" TO portal_web', 'GRANT SELECT ON "{table}" TO portal_worker'], undo=['REVOKE ALL ON "{table}" FROM portal_web, portal_worker, portal_staff'])],
            },
        ),
        migrations.CreateModel(
            name='Incident',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('cause', models.CharField(max_length=60, verbose_name='cause')),
                ('checkpoint', models.CharField(blank=True, max_length=60, verbose_name='checkpoint')),
                ('values', models.JSONField(default=dict)),
                ('responsible', models.CharField(choices=[('customer', 'the customer'), ('us', 'our staff'), ('provider', 'the provider'), ('nobody', 'nobody')], max_length=12, verbose_name='who can mend it')),
                ('opened_at', models.DateTimeField(verbose_name='since')),
                ('opened_by', models.CharField(choices=[('run', 'a sync'), ('check', 'a check'), ('duration', 'how long it had lasted'), ('left', 'the connection was disconnected')], max_length=10, verbose_name='shown by')),
                ('entry_id', models.UUIDField(null=True, verbose_name='request that showed it')),
                ('run_id', models.UUIDField(null=True, verbose_name='run that showed it')),
                ('last_seen_at', models.DateTimeField(verbose_name='last seen')),
                ('times_seen', models.PositiveIntegerField(default=1, verbose_name='times seen')),
                ('is_told_elsewhere', models.BooleanField(default=False)),
                ('closed_at', models.DateTimeField(null=True, verbose_name='over since')),
                ('closed_by', models.CharField(blank=True, choices=[('run', 'a sync'), ('check', 'a check'), ('duration', 'how long it had lasted'), ('left', 'the connection was disconnected')], max_length=10, verbose_name='its end shown by')),
                ('closing_entry_id', models.UUIDField(null=True, verbose_name='request that showed its end')),
                ('closing_run_id', models.UUIDField(null=True, verbose_name='run that showed its end')),
                ('connection', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, related_name='incidents', to='vault.connection')),
                ('tenant', models.ForeignKey(editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenancy.tenant')),
            ],
            options={
                'verbose_name': 'incident',
                'verbose_name_plural': 'incidents',
                'ordering': ['-opened_at', '-id'],
                'indexes': [models.Index(fields=['tenant', 'connection', '-opened_at'], name='incidents_of_connection'), models.Index(fields=['-opened_at', '-id'], name='incidents_newest')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('closed_at', None)), fields=('tenant', 'connection', 'cause'), name='incidents_one_open'), TableStatements(name='incidents_incident_fence', statements=['ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', 'CREATE POLICY owner ON "{table}" TO portal_owner USING (true) WITH CHECK (true)', 'CREATE POLICY tenant ON "{table}" TO portal_web, portal_worker USING (tenant_id = (SELECT NULLIF(current_setting(\'portal.tenant_id\', true), \'\')::uuid)) WITH CHECK (tenant_id = (SELECT NULLIF(current_setting(\'portal.tenant_id\', true), \'\')::uuid))', 'CREATE POLICY staff ON "{table}" TO portal_staff USING (true) WITH CHECK (true)', 'DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conname = \'{table}_in_tenant\') THEN ALTER TABLE "{table}" ADD CONSTRAINT "{table}_in_tenant" UNIQUE (tenant_id, id); END IF; END $$', 'GRANT SELECT ON "{table}" TO portal_web', 'GRANT SELECT, INSERT, UPDATE ON "{table}" TO portal_worker', 'GRANT SELECT ON "{table}" TO portal_staff'], undo=['DROP POLICY owner ON "{table}"', 'DROP POLICY tenant ON "{table}"', 'DROP POLICY staff ON "{table}"', 'ALTER TABLE "{table}" NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY', 'REVOKE ALL ON "{table}" FROM portal_web, portal_worker, portal_staff']), TableStatements(field='connection', name='incidents_connection_tenant', statements=['ALTER TABLE "{table}" ADD CONSTRAINT "incidents_connection_tenant" FOREIGN KEY (tenant_id, "{column}") REFERENCES "{target}" (tenant_id, id) DEFERRABLE INITIALLY DEFERRED'], undo=['ALTER TABLE "{table}" DROP CONSTRAINT "incidents_connection_tenant"'])],
            },
        ),
        migrations.CreateModel(
            name='MailChoice',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('refused', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(choices=[('broken', 'a connection needs somebody'), ('healed', 'what I was told of is over'), ('live', 'a connection has been read for the first time'), ('waits', 'a connection that I began waits for me'), ('outage', 'a provider has been in trouble for a while, and when that is over')], max_length=10), blank=True, default=list, size=None)),
                ('is_digest', models.BooleanField(default=False, verbose_name='all together, each morning')),
                ('quiet_from', models.TimeField(null=True, verbose_name='quiet from')),
                ('quiet_until', models.TimeField(null=True, verbose_name='quiet until')),
                ('tenant', models.ForeignKey(editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenancy.tenant')),
                ('user', models.ForeignKey(editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'choice of mails',
                'verbose_name_plural': 'choices of mails',
                'constraints': [models.UniqueConstraint(fields=('tenant', 'user'), name='incidents_mail_choice_once'), TableStatements(name='incidents_mail_choice_fence', statements=['ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', 'CREATE POLICY owner ON "{table}" TO portal_owner USING (true) WITH CHECK (true)', 'CREATE POLICY tenant ON "{table}" TO portal_web, portal_worker USING (tenant_id = (SELECT NULLIF(current_setting(\'portal.tenant_id\', true), \'\')::uuid)) WITH CHECK (tenant_id = (SELECT NULLIF(current_setting(\'portal.tenant_id\', true), \'\')::uuid))', 'CREATE POLICY staff ON "{table}" TO portal_staff USING (true) WITH CHECK (true)', 'GRANT SELECT, INSERT, UPDATE (refused, is_digest, quiet_from, quiet_until) ON "{table}" TO portal_web', 'GRANT SELECT ON "{table}" TO portal_worker', 'GRANT SELECT ON "{table}" TO portal_staff'], undo=['DROP POLICY owner ON "{table}"', 'DROP POLICY tenant ON "{table}"', 'DROP POLICY staff ON "{table}"', 'ALTER TABLE "{table}" NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY', 'REVOKE ALL ON "{table}" FROM portal_web, portal_worker, portal_staff'])],
            },
        ),
        migrations.CreateModel(
            name='Notice',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('broken', 'a connection needs somebody'), ('healed', 'what I was told of is over'), ('live', 'a connection has been read for the first time'), ('waits', 'a connection that I began waits for me'), ('outage', 'a provider has been in trouble for a while, and when that is over')], max_length=10, verbose_name='kind')),
                ('about', models.UUIDField(verbose_name='about')),
                ('connection_id', models.UUIDField(null=True, verbose_name='connection')),
                ('created_at', models.DateTimeField(verbose_name='since')),
                ('due_at', models.DateTimeField(verbose_name='due at')),
                ('ended_at', models.DateTimeField(null=True, verbose_name='ended')),
                ('outcome', models.CharField(blank=True, choices=[('mailed', 'mailed'), ('refused', 'not wanted any more'), ('overtaken', 'over before it was due')], max_length=10, verbose_name='outcome')),
                ('tenant', models.ForeignKey(editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenancy.tenant')),
                ('user', models.ForeignKey(editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'notice',
                'verbose_name_plural': 'notices',
                'indexes': [models.Index(fields=['tenant', 'user', '-created_at'], name='incidents_notice_of_person'), models.Index(fields=['ended_at'], name='incidents_notice_ended')],
                'constraints': [models.UniqueConstraint(fields=('tenant', 'kind', 'about', 'user'), name='incidents_notice_once'), TableStatements(name='incidents_notice_fence', statements=['ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', 'CREATE POLICY owner ON "{table}" TO portal_owner USING (true) WITH CHECK (true)', 'CREATE POLICY tenant ON "{table}" TO portal_web, portal_worker USING (tenant_id = (SELECT NULLIF(current_setting(\'portal.tenant_id\', true), \'\')::uuid)) WITH CHECK (tenant_id = (SELECT NULLIF(current_setting(\'portal.tenant_id\', true), \'\')::uuid))', 'CREATE POLICY staff ON "{table}" TO portal_staff USING (true) WITH CHECK (true)', 'GRANT SELECT, INSERT, UPDATE (ended_at, outcome) ON "{table}" TO portal_worker', 'GRANT SELECT ON "{table}" TO portal_staff'], undo=['DROP POLICY owner ON "{table}"', 'DROP POLICY tenant ON "{table}"', 'DROP POLICY staff ON "{table}"', 'ALTER TABLE "{table}" NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY', 'REVOKE ALL ON "{table}" FROM portal_web, portal_worker, portal_staff'])],
            },
        ),
    ]
