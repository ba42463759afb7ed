"""Indexes for what staff paste into the box."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('members', '0004_inviters_seeds_and_rights'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='invitation',
            index=models.Index(fields=['email'], name='members_invitation_email'),
        ),
    ]
