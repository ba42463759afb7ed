"""The host that a redirect leads to joins the request log."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("transport", "0005_breakers")]
    operations = [
        migrations.AddField(
            model_name="requestlogentry",
            name="leads_to",
            field=models.CharField(blank=True, max_length=253, verbose_name="redirect to"),
        ),
        migrations.RunSQL(
            "ALTER TABLE transport_entry ADD COLUMN leads_to varchar(253) NOT NULL DEFAULT ''",
            "ALTER TABLE transport_entry DROP COLUMN leads_to",
        ),
    ]
