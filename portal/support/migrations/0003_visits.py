"""Visits of our people at one tenant."""

import datetime
import uuid

import django.db.models.deletion
import django.db.models.expressions
from django.db import migrations, models

from connections.tenancy.row_security import TableStatements


class Migration(migrations.Migration):

    dependencies = [
        ('support', '0002_planned_actions'),
        ('tenancy', '0003_searched_names'),
    ]

    operations = [
        migrations.CreateModel(
            name='Visit',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('user_id', models.BigIntegerField(verbose_name='who, by id')),
                ('visitor_name', models.CharField(max_length=254, verbose_name='who')),
                ('reason', models.CharField(max_length=200, verbose_name='reason')),
                ('ticket', models.CharField(max_length=60, verbose_name='ticket')),
                ('started_at', models.DateTimeField(verbose_name='since')),
                ('until_at', models.DateTimeField(verbose_name='until')),
                ('ended_at', models.DateTimeField(null=True, verbose_name='ended')),
                ('tenant', models.ForeignKey(editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenancy.tenant')),
            ],
            options={
                'verbose_name': 'visit',
                'verbose_name_plural': 'visits',
                'ordering': ['-started_at', '-id'],
                'indexes': [models.Index(fields=['-started_at', '-id'], name='support_visit_newest')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('ended_at', None)), fields=('user_id',), name='support_one_visit'), models.CheckConstraint(condition=models.Q(('until_at__gt', models.F('started_at')), ('until_at__lte', django.db.models.expressions.CombinedExpression(models.F('started_at'), '+', models.Value(datetime.timedelta(seconds=3600))))), name='support_visit_short'), TableStatements(name='support_visit_fence', statements=['ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', 'CREATE POLICY owner ON "{table}" TO portal_owner USING (true) WITH CHECK (true)', 'CREATE POLICY tenant ON "{table}" TO portal_web, portal_worker USING (tenant_id = (SELECT NULLIF(current_setting(\'portal.tenant_id\', true), \'\')::uuid)) WITH CHECK (tenant_id = (SELECT NULLIF(current_setting(\'portal.tenant_id\', true), \'\')::uuid))', 'CREATE POLICY staff ON "{table}" TO portal_staff USING (true) WITH CHECK (true)', 'GRANT SELECT ON "{table}" TO portal_worker', 'GRANT SELECT, INSERT, UPDATE (ended_at) ON "{table}" TO portal_staff'], undo=['DROP POLICY owner ON "{table}"', 'DROP POLICY tenant ON "{table}"', 'DROP POLICY staff ON "{table}"', 'ALTER TABLE "{table}" NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY', 'REVOKE ALL ON "{table}" FROM portal_web, portal_worker, portal_staff'])],
            },
        ),
    ]
