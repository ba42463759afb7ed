"""Constraints that kept the names of before, where tables and a column were renamed; in a new database there are none."""

from django.db import migrations

RENAME = """
DO $$
DECLARE
    old record;
BEGIN
    FOR old IN
        SELECT renamed.of_table, c.conname, new_prefix || substr(c.conname, length(old_prefix) + 1) AS new_name
        FROM (VALUES
            ('vault_systemkey', 'vault_housekey_', 'vault_systemkey_'),
            ('vault_systemprivatekey', 'vault_houseprivatekey_', 'vault_systemprivatekey_'),
            ('vault_connection', 'vault_connection_way_', 'vault_connection_auth_method_')
        ) AS renamed (of_table, old_prefix, new_prefix)
        JOIN pg_constraint c ON c.conrelid = renamed.of_table::regclass AND starts_with(c.conname, old_prefix)
    LOOP
        EXECUTE format('ALTER TABLE %I RENAME CONSTRAINT %I TO %I', old.of_table, old.conname, old.new_name);
    END LOOP;
END $$
"""


class Migration(migrations.Migration):
    dependencies = [("vault", "0001_squashed")]
    operations = [migrations.RunSQL([RENAME], migrations.RunSQL.noop)]
