"""Companies are found by any part of their names."""

from django.db import migrations

INDEX = "CREATE INDEX vault_connection_name_parts ON vault_connection USING gin (portal_ngrams(company_name))"


class Migration(migrations.Migration):
    dependencies = [("vault", "0005_db_defaults"), ("tenancy", "0003_searched_names")]
    operations = [migrations.RunSQL([INDEX], "DROP INDEX vault_connection_name_parts")]
