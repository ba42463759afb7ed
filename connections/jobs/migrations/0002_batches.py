"""Lanes within each queue, an index in the order of a claim, and the rights that go with them."""

import django.db.models.deletion
from django.db import migrations, models

from connections.tenancy.row_security import TableStatements


class Migration(migrations.Migration):

    dependencies = [
        ('jobs', '0001_squashed'),
        ('tenancy', '0001_squashed'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='job',
            name='jobs_job_rights',
        ),
        migrations.RemoveIndex(
            model_name='job',
            name='jobs_due',
        ),
        migrations.RemoveIndex(
            model_name='job',
            name='jobs_leased',
        ),
        migrations.AddField(
            model_name='job',
            name='burst',
            field=models.PositiveIntegerField(db_default=0, verbose_name='burst'),
        ),
        migrations.AddField(
            model_name='job',
            name='lane',
            field=models.PositiveSmallIntegerField(db_default=0, verbose_name='lane'),
        ),
        migrations.AlterField(
            model_name='job',
            name='tenant',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenancy.tenant'),
        ),
        migrations.AddIndex(
            model_name='job',
            index=models.Index(condition=models.Q(('ended_at__isnull', True), ('lease_until__isnull', True)), fields=['queue', 'lane', 'due_at'], name='jobs_due'),
        ),
        migrations.AddIndex(
            model_name='job',
            index=models.Index(condition=models.Q(('lease_until__isnull', False), ('starts__gt', 0)), fields=['lease_until'], name='jobs_alone'),
        ),
        migrations.AddIndex(
            model_name='job',
            index=models.Index(fields=['tenant', 'queue', '-created_at'], name='jobs_of_tenant'),
        ),
        migrations.AddIndex(
            model_name='job',
            index=models.Index(condition=models.Q(('ended_at__isnull', True), ('lease_until__isnull', False)), fields=['lease_until'], name='jobs_leased'),
        ),
        migrations.AddConstraint(
            model_name='job',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('ended_at__isnull', True), ('lease_until__isnull', True)), models.Q(('ended_at__isnull', True), ('state', 'running')), models.Q(('state__in', ('queued', 'running')), _negated=True), _connector='OR'), name='jobs_found_by_workers'),
        ),
        migrations.AddConstraint(
            model_name='job',
            constraint=models.CheckConstraint(condition=models.Q(('lane__in', (0, 1, 2)), ('queue__in', ('interactive', 'sync', 'urgent-mail', 'mail'))), name='jobs_known_line'),
        ),
        migrations.AddConstraint(
            model_name='job',
            constraint=TableStatements(name='jobs_job_rights', statements=['GRANT SELECT, INSERT (id, tenant_id, kind, subject, queue, lane, burst, state, due_at, starts, failures, owner, epoch, reason, created_at), UPDATE (due_at, state, reason, ended_at) ON "{table}" TO portal_web', 'GRANT SELECT, INSERT, UPDATE, DELETE ON "{table}" TO portal_worker', 'GRANT SELECT, INSERT (id, tenant_id, kind, subject, queue, lane, burst, state, due_at, starts, failures, owner, epoch, reason, created_at), UPDATE (due_at, state, reason, ended_at) ON "{table}" TO portal_staff'], undo=['REVOKE ALL ON "{table}" FROM portal_web, portal_worker, portal_staff']),
        ),
    ]
