"""Indexes for what staff paste into the box."""

import django.contrib.postgres.indexes
import django.db.models.fields.json
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('vault', '0011_activation_link'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='connection',
            index=models.Index(fields=['-created_at', '-id'], name='vault_connection_newest'),
        ),
        migrations.AddIndex(
            model_name='connection',
            index=models.Index(django.db.models.fields.json.KeyTextTransform('client_id', 'settings'), name='vault_connection_client_id'),
        ),
        migrations.AddIndex(
            model_name='connection',
            index=django.contrib.postgres.indexes.GinIndex(fields=['settings'], name='vault_connection_settings', opclasses=['jsonb_path_ops']),
        ),
        migrations.AddIndex(
            model_name='pin',
            index=models.Index(fields=['sha256'], name='vault_pin_fingerprint'),
        ),
    ]
