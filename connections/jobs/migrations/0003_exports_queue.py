"""A queue for exports."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('jobs', '0002_batches'),
        ('tenancy', '0002_settings'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='job',
            name='jobs_known_line',
        ),
        migrations.AddConstraint(
            model_name='job',
            constraint=models.CheckConstraint(condition=models.Q(('lane__in', (0, 1, 2)), ('queue__in', ('interactive', 'sync', 'urgent-mail', 'mail', 'exports'))), name='jobs_known_line'),
        ),
    ]
