"""Indexes for incidents that are over since a while ago, and for those of one cause."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('incidents', '0002_expiries'),
        ('tenancy', '0003_searched_names'),
        ('vault', '0006_searched_names'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='incident',
            index=models.Index(fields=['closed_at'], name='incidents_over'),
        ),
        migrations.AddIndex(
            model_name='incident',
            index=models.Index(fields=['cause', '-opened_at'], name='incidents_of_cause'),
        ),
    ]
