"""Every connection gets the schedule that its hours said, in step with the slot it waited for; the column goes."""

from django.db import migrations

COPY = """
INSERT INTO sync_schedule
    (id, tenant_id, connection_id, kind, every_hours, anchor_at, times, weekdays, streams_left_out, settled_at)
SELECT gen_random_uuid(), c.tenant_id, c.id,
    CASE c.sync_every_hours WHEN 0 THEN 'hand' ELSE 'interval' END,
    CASE c.sync_every_hours WHEN 0 THEN 6 ELSE least(c.sync_every_hours, 168) END,
    date_trunc('minute', coalesce(j.due_at, now())), '[]', '[]', '[]',
    least(now(), date_trunc('minute', coalesce(j.due_at, now())) - interval '1 second')
FROM vault_connection c
LEFT JOIN LATERAL (
    SELECT due_at FROM jobs_job WHERE kind = 'sync.scheduled' AND subject = c.id AND state IN ('queued', 'running')
    ORDER BY due_at LIMIT 1
) j ON true
ON CONFLICT (connection_id) DO NOTHING
"""

COPY_BACK = """
UPDATE vault_connection c SET sync_every_hours = CASE s.kind WHEN 'interval' THEN s.every_hours WHEN 'times' THEN 24 ELSE 0 END
FROM sync_schedule s WHERE s.connection_id = c.id
"""

# Foreign keys are looked at before the table is changed further.
AT_ONCE = "SET CONSTRAINTS ALL IMMEDIATE"


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0001_squashed"),
        ("sync", "0003_schedules"),
        ("vault", "0003_pause"),
    ]
    operations = [
        migrations.RunSQL([COPY, AT_ONCE], [COPY_BACK, AT_ONCE]),
        migrations.RemoveField(model_name="connection", name="sync_every_hours"),
    ]
