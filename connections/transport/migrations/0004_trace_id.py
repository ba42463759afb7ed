"""By which id a request belongs to a page or a job."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('transport', '0003_departure'),
    ]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE transport_entry ADD COLUMN trace_id varchar(32) NOT NULL DEFAULT ''",
            "ALTER TABLE transport_entry DROP COLUMN trace_id",
            state_operations=[
                migrations.AddField(
                    model_name='requestlogentry',
                    name='trace_id',
                    field=models.CharField(blank=True, max_length=32, verbose_name='trace id'),
                ),
            ],
        ),
    ]
