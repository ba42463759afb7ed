"""Defaults of columns that an older release does not know, so that it can write rows beside this one."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('sync', '0007_erasure'),
    ]

    operations = [
        migrations.AlterField(
            model_name='streamcursor',
            name='gone',
            field=models.PositiveIntegerField(db_default=0, default=0, verbose_name='gone'),
        ),
        migrations.AlterField(
            model_name='streamcursor',
            name='is_compared',
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AlterField(
            model_name='streamcursor',
            name='searched_by',
            field=models.CharField(blank=True, db_default='', default='', max_length=200),
        ),
        migrations.AlterField(
            model_name='streamcursor',
            name='shape',
            field=models.JSONField(db_default={}, default=dict),
        ),
        migrations.AlterField(
            model_name='streamcursor',
            name='shape_changes',
            field=models.JSONField(db_default=[], default=list),
        ),
        migrations.AlterField(
            model_name='streamprogress',
            name='gone',
            field=models.PositiveIntegerField(db_default=0, default=0, verbose_name='gone'),
        ),
        migrations.AlterField(
            model_name='syncrun',
            name='time_shares',
            field=models.JSONField(db_default={}, default=dict),
        ),
    ]
