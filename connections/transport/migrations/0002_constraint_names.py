"""Constraints that kept the names of before, where columns were renamed; in a new database there are none."""

from django.db import migrations

RENAME = """
DO $$
DECLARE
    old record;
BEGIN
    FOR old IN
        SELECT renamed.of_table, c.conname, new_prefix || substr(c.conname, length(old_prefix) + 1) AS new_name
        FROM (VALUES
            ('transport_activationrequest', 'transport_activationrequest_word_', 'transport_activationrequest_reason_code_'),
            ('transport_authorizationattempt', 'transport_authorizationattempt_word_', 'transport_authorizationattempt_reason_code_')
        ) AS renamed (of_table, old_prefix, new_prefix)
        JOIN pg_constraint c ON c.conrelid = renamed.of_table::regclass AND starts_with(c.conname, old_prefix)
    LOOP
        EXECUTE format('ALTER TABLE %I RENAME CONSTRAINT %I TO %I', old.of_table, old.conname, old.new_name);
    END LOOP;
END $$
"""


class Migration(migrations.Migration):
    dependencies = [("transport", "0001_squashed")]
    operations = [migrations.RunSQL([RENAME], migrations.RunSQL.noop)]
