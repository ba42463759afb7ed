"""The fields of a stream's records and what changed of them, and where a run's time went."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('sync', '0004_deletions'),
    ]

    operations = [
        migrations.AddField(
            model_name='streamcursor',
            name='shape',
            field=models.JSONField(default=dict),
        ),
        migrations.AddField(
            model_name='streamcursor',
            name='shape_changes',
            field=models.JSONField(default=list),
        ),
        migrations.AddField(
            model_name='syncrun',
            name='accounted_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='syncrun',
            name='time_shares',
            field=models.JSONField(default=dict),
        ),
    ]
