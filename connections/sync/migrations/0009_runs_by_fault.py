"""Runs that ended by a fault, found by it."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('sync', '0008_db_defaults'),
        ('tenancy', '0003_searched_names'),
        ('vault', '0006_searched_names'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='syncrun',
            index=models.Index(condition=models.Q(('fault', ''), _negated=True), fields=['fault', '-queued_at'], name='sync_run_of_fault'),
        ),
    ]
