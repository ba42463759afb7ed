"""Records that a complete pass did not show are marked as gone, and counted; what a pass over everything is compared with."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('sync', '0003_schedules'),
    ]

    operations = [
        migrations.AddField(
            model_name='listedpage',
            name='is_unsettled',
            field=models.BooleanField(db_default=False),
        ),
        migrations.AddField(
            model_name='recordversion',
            name='gone_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='streamcursor',
            name='full_at',
            field=models.DateTimeField(null=True, verbose_name='everything last read'),
        ),
        migrations.AddField(
            model_name='streamcursor',
            name='full_run_id',
            field=models.UUIDField(null=True),
        ),
        migrations.AddField(
            model_name='streamcursor',
            name='full_tried_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='streamcursor',
            name='gone',
            field=models.PositiveIntegerField(default=0, verbose_name='gone'),
        ),
        migrations.AddField(
            model_name='streamcursor',
            name='is_compared',
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name='streamcursor',
            name='suspected_at',
            field=models.DateTimeField(null=True, verbose_name='many missing since'),
        ),
        migrations.AddField(
            model_name='streamprogress',
            name='gone',
            field=models.PositiveIntegerField(default=0, verbose_name='gone'),
        ),
    ]
