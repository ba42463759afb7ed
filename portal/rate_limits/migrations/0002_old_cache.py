"""Takes away the table of Django's database cache, whose values were pickles. What it held was true for minutes."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("rate_limits", "0001_cache_and_usage"), ("members", "0002_rights")]
    operations = [migrations.RunSQL("DROP TABLE IF EXISTS portal_cache", migrations.RunSQL.noop)]
