"""A switch without which no job is done, which backups leave out."""

import django.db.models.functions.datetime
from django.db import migrations, models

from connections.tenancy.row_security import TableStatements


class Migration(migrations.Migration):

    dependencies = [
        ('jobs', '0005_trace_id'),
    ]

    operations = [
        migrations.CreateModel(
            name='DispatchSwitch',
            fields=[
                ('id', models.PositiveSmallIntegerField(default=1, editable=False, primary_key=True, serialize=False)),
                ('on_since', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='on since')),
            ],
            options={
                'verbose_name': 'switch',
                'verbose_name_plural': 'switches',
                'constraints': [models.CheckConstraint(condition=models.Q(('id', 1)), name='jobs_one_switch'), TableStatements(name='jobs_dispatchswitch_rights', statements=['GRANT SELECT ON "{table}" TO portal_web', 'GRANT SELECT ON "{table}" TO portal_worker', 'GRANT SELECT ON "{table}" TO portal_staff'], undo=['REVOKE ALL ON "{table}" FROM portal_web, portal_worker, portal_staff'])],
            },
        ),
        # An installation that works goes on working.
        migrations.RunSQL("INSERT INTO jobs_dispatchswitch (id) VALUES (1)", migrations.RunSQL.noop),
    ]
