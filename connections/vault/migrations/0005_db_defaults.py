"""Defaults of columns that an older release does not know, so that it can write rows beside this one."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('vault', '0004_schedules_take_over'),
    ]

    operations = [
        migrations.AlterField(
            model_name='connection',
            name='pause_reason',
            field=models.CharField(blank=True, db_default='', default='', max_length=200, verbose_name='reason of the pause'),
        ),
        migrations.AlterField(
            model_name='connection',
            name='paused_by',
            field=models.CharField(blank=True, db_default='', default='', max_length=254, verbose_name='paused by'),
        ),
    ]
