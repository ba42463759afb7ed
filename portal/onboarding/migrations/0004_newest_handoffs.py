"""Staff list hand-offs newest first."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('onboarding', '0003_watched'),
        ('tenancy', '0003_searched_names'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='handoff',
            index=models.Index(fields=['-given_at', '-id'], name='onboarding_handoffs_by_time'),
        ),
    ]
