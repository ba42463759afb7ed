"""Signs of life of workers, beat, sweep and maintenance; an index of the few jobs that were given up."""

import django.db.models.functions.datetime
from django.db import migrations, models

from connections.tenancy.row_security import TableStatements


class Migration(migrations.Migration):

    dependencies = [
        ('jobs', '0003_exports_queue'),
        ('tenancy', '0002_settings'),
    ]

    operations = [
        migrations.CreateModel(
            name='Heartbeat',
            fields=[
                ('name', models.CharField(max_length=200, primary_key=True, serialize=False, verbose_name='name')),
                ('kind', models.CharField(choices=[('beat', 'beat'), ('worker', 'worker'), ('sweep', 'sweep'), ('maintenance', 'maintenance'), ('takeover', 'takeover')], max_length=20, verbose_name='kind')),
                ('queues', models.CharField(blank=True, db_default='', max_length=200, verbose_name='queues')),
                ('at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='last time')),
                ('count', models.BigIntegerField(db_default=1, verbose_name='times')),
            ],
            options={
                'verbose_name': 'heartbeat',
                'verbose_name_plural': 'heartbeats',
            },
        ),
        migrations.AddIndex(
            model_name='job',
            index=models.Index(condition=models.Q(('state', 'parked')), fields=['queue'], name='jobs_parked'),
        ),
        migrations.AddConstraint(
            model_name='heartbeat',
            constraint=TableStatements(name='jobs_heartbeat_rights', statements=['GRANT SELECT ON "{table}" TO portal_web', 'GRANT SELECT, INSERT, UPDATE ON "{table}" TO portal_worker', 'GRANT SELECT ON "{table}" TO portal_staff'], undo=['REVOKE ALL ON "{table}" FROM portal_web, portal_worker, portal_staff']),
        ),
    ]
