"""The request log counts itself: a trigger adds what a statement has written to the tallies of its minutes."""

from django.db import migrations

# What several statements write at once is added in one order, so that two of them never wait for each other.
COUNT = """
ALTER TABLE transport_minutetally SET (fillfactor = 80);
CREATE FUNCTION transport_count_entries() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.transport_minutetally AS tally
        (id, tenant_id, connection_id, minute, provider, environment, operation, outcome, attempts)
    SELECT gen_random_uuid(), tenant_id, connection_id, date_trunc('minute', at), provider, environment, operation, outcome,
        count(*)
    FROM written
    GROUP BY tenant_id, date_trunc('minute', at), connection_id, provider, environment, operation, outcome
    ORDER BY tenant_id, date_trunc('minute', at), connection_id, provider, environment, operation, outcome
    ON CONFLICT (tenant_id, minute, connection_id, provider, environment, operation, outcome)
    DO UPDATE SET attempts = tally.attempts + excluded.attempts;
    RETURN NULL;
END $$;
CREATE TRIGGER transport_entry_counted AFTER INSERT ON transport_entry
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION transport_count_entries();
"""
FORGET = """
DROP TRIGGER transport_entry_counted ON transport_entry;
DROP FUNCTION transport_count_entries();
ALTER TABLE transport_minutetally RESET (fillfactor);
"""

# What was written before.
FILL = """
INSERT INTO transport_minutetally
    (id, tenant_id, connection_id, minute, provider, environment, operation, outcome, attempts)
SELECT gen_random_uuid(), tenant_id, connection_id, date_trunc('minute', at), provider, environment, operation, outcome,
    count(*)
FROM transport_entry
GROUP BY tenant_id, date_trunc('minute', at), connection_id, provider, environment, operation, outcome
"""


class Migration(migrations.Migration):
    dependencies = [("transport", "0005_tallies")]
    operations = [migrations.RunSQL([COUNT], FORGET), migrations.RunSQL([FILL], "DELETE FROM transport_minutetally")]
