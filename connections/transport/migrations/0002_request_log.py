"""The request log: partitioned by month, behind the fence, with its first 24 partitions."""

from django.db import migrations

from connections.tenancy.row_security import run_all
from connections.transport.log import partitions


def forwards(apps, schema_editor):
    run_all(schema_editor, partitions.create_table())
    partitions.make_ahead()


def backwards(apps, schema_editor):
    schema_editor.execute(f"DROP TABLE {partitions.TABLE}")


class Migration(migrations.Migration):
    dependencies = [
        ("transport", "0001_initial"),
        ("tenancy", "0001_initial"),
    ]
    operations = [migrations.RunPython(forwards, backwards)]
