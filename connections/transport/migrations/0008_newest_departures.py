"""Staff list departures newest first."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('tenancy', '0003_searched_names'),
        ('transport', '0007_log_filters'),
        ('vault', '0007_writes'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='departure',
            index=models.Index(fields=['-asked_at', '-id'], name='transport_departure_newest'),
        ),
    ]
