"""When the nightly watch last looked at a connection to the end."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('onboarding', '0002_handoff'),
    ]

    operations = [
        migrations.AddField(
            model_name='onboarding',
            name='watched_at',
            field=models.DateTimeField(null=True, verbose_name='watched at'),
        ),
    ]
