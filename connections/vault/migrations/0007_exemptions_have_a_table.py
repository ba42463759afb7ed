"""What lets a connection out of the ordinary stands in a table of its own."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("vault", "0006_carry_over")]
    operations = [
        migrations.RemoveField(model_name="connection", name="plain_http"),
        migrations.RemoveField(model_name="connection", name="private_networks"),
    ]
