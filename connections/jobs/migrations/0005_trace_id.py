"""By which id a job belongs to the page that asked for it."""

from django.db import migrations, models

from connections.tenancy.row_security import TableStatements


class Migration(migrations.Migration):

    dependencies = [
        ('jobs', '0004_heartbeats'),
        ('tenancy', '0002_settings'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='job',
            name='jobs_job_rights',
        ),
        migrations.AddField(
            model_name='job',
            name='trace_id',
            field=models.CharField(blank=True, db_default='', default='', max_length=32, verbose_name='trace id'),
        ),
        migrations.AddConstraint(
            model_name='job',
            constraint=TableStatements(name='jobs_job_rights', statements=['GRANT SELECT, INSERT (id, tenant_id, kind, subject, queue, lane, burst, state, due_at, starts, failures, owner, epoch, reason, created_at, trace_id), UPDATE (due_at, state, reason, ended_at) ON "{table}" TO portal_web', 'GRANT SELECT, INSERT, UPDATE, DELETE ON "{table}" TO portal_worker', 'GRANT SELECT, INSERT (id, tenant_id, kind, subject, queue, lane, burst, state, due_at, starts, failures, owner, epoch, reason, created_at, trace_id), UPDATE (due_at, state, reason, ended_at) ON "{table}" TO portal_staff'], undo=['REVOKE ALL ON "{table}" FROM portal_web, portal_worker, portal_staff']),
        ),
    ]
