"""Records are found by columns of their own, listed with the newest changes first, and name the request that brought them.

What was read before is found by its id alone until the maintenance has filled the new columns (sync/searching.py).
"""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('sync', '0005_shapes_and_shares'),
        ('tenancy', '0002_settings'),
        ('vault', '0004_schedules_take_over'),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name='record',
            name='sync_record_changes',
        ),
        migrations.AddField(
            model_name='record',
            name='entry_id',
            field=models.UUIDField(null=True, verbose_name='entry id'),
        ),
        migrations.AddField(
            model_name='record',
            name='search_1',
            field=models.CharField(db_collation='C', max_length=60, null=True),
        ),
        migrations.AddField(
            model_name='record',
            name='search_2',
            field=models.CharField(db_collation='C', max_length=60, null=True),
        ),
        migrations.AddField(
            model_name='recordversion',
            name='entry_id',
            field=models.UUIDField(null=True),
        ),
        migrations.AddField(
            model_name='streamcursor',
            name='searched_by',
            field=models.CharField(blank=True, max_length=200),
        ),
        migrations.AddIndex(
            model_name='record',
            index=models.Index(condition=models.Q(('change_number__gt', 0)), fields=['connection', 'stream', 'change_number'], name='sync_record_changes'),
        ),
        migrations.AddIndex(
            model_name='record',
            index=models.Index(condition=models.Q(('gone_at__isnull', False)), fields=['connection', 'stream', 'gone_at', 'external_id'], name='sync_record_gone'),
        ),
        migrations.AddIndex(
            model_name='record',
            index=models.Index(condition=models.Q(('search_1__isnull', False)), fields=['connection', 'stream', 'search_1', 'external_id'], name='sync_record_search_1'),
        ),
        migrations.AddIndex(
            model_name='record',
            index=models.Index(condition=models.Q(('search_2__isnull', False)), fields=['connection', 'stream', 'search_2', 'external_id'], name='sync_record_search_2'),
        ),
        # Last, as it makes the primary key anew: where costs are the same, as on a table that is empty, the planner takes
        # the youngest index, and by any other one it would pass through a whole list for each record of a page.
        migrations.AlterField(
            model_name='record',
            name='external_id',
            field=models.CharField(db_collation='C', max_length=120, verbose_name='id at the provider'),
        ),
    ]
