"""Records without superfluous indexes, and one record where a number was kept under several spellings (17 and 17.0).

The release before took a number's digits as they came. From now on 17.0 is the record 17: without this step every
record of a provider that writes 17.0 would be added once more beside the one that is kept.
"""

import django.db.models.deletion
from django.db import migrations, models

# Which field of a record is its id, where it is not `id`, and whose records' ids stand before it; as of this release.
KEYS = "('simutek', 'customers', 'number'), ('procountor', 'accounts', 'ledgerAccountCode')"
PARENTS = "('pentamic', 'invoices', 'customers')"

# A number of jsonb has no exponent: its other spellings are those with zeros behind the point.
RESPELLED = rf"""
WITH keyed AS (
    SELECT record.id, record.tenant_id, record.connection_id, record.stream, record.external_id, record.changed_at,
        record.body -> coalesce(keys.key, 'id') AS key, parents.parent
    FROM sync_record AS record
    JOIN vault_connection AS connection ON connection.id = record.connection_id
    LEFT JOIN (VALUES {KEYS}) AS keys (provider, stream, key)
        ON keys.provider = connection.provider AND keys.stream = record.stream
    LEFT JOIN (VALUES {PARENTS}) AS parents (provider, stream, parent)
        ON parents.provider = connection.provider AND parents.stream = record.stream
    WHERE record.external_id ~ '\.[0-9]*0(/|$)'
), split AS (
    SELECT *, key #>> '{{}}' AS own, left(external_id, -char_length(key #>> '{{}}')) AS prefix
    FROM keyed WHERE right(external_id, char_length(key #>> '{{}}')) = key #>> '{{}}'
), spelled AS (
    SELECT *,
        CASE WHEN EXISTS (
            SELECT FROM sync_record AS one WHERE one.tenant_id = split.tenant_id AND one.connection_id = split.connection_id
                AND one.stream = split.parent AND one.external_id = rtrim(split.prefix, '/')
                AND jsonb_typeof(one.body -> 'id') = 'number'
        ) THEN trim_scale(rtrim(prefix, '/')::numeric) || '/' ELSE prefix END
        || CASE jsonb_typeof(key) WHEN 'number' THEN trim_scale(own::numeric)::text ELSE own END AS new_id
    FROM split
), respelled AS (
    SELECT id, tenant_id, connection_id, stream, changed_at, new_id AS external_id FROM spelled WHERE new_id <> external_id
)
"""  # noqa: S608  # nosec B608  (constants of this file)

# Of several the one that changed last stays.
MERGE = f"""
{RESPELLED}, meeting AS (
    SELECT id, tenant_id, connection_id, stream, external_id, changed_at FROM respelled
    UNION ALL
    SELECT id, tenant_id, connection_id, stream, external_id, changed_at FROM sync_record
    WHERE (tenant_id, connection_id, stream, external_id) IN (
        SELECT tenant_id, connection_id, stream, external_id FROM respelled
    )
), ranked AS (
    SELECT id, row_number() OVER (
        PARTITION BY tenant_id, connection_id, stream, external_id ORDER BY changed_at DESC, id
    ) AS place
    FROM meeting
), gone AS (
    DELETE FROM sync_record USING ranked WHERE sync_record.id = ranked.id AND ranked.place > 1
    RETURNING sync_record.tenant_id, sync_record.connection_id, sync_record.stream
)
UPDATE sync_streamcursor AS cursor SET records = greatest(cursor.records - fewer.number, 0)
FROM (SELECT tenant_id, connection_id, stream, count(*) AS number FROM gone GROUP BY 1, 2, 3) AS fewer
WHERE cursor.tenant_id = fewer.tenant_id AND cursor.connection_id = fewer.connection_id
    AND cursor.stream = fewer.stream
"""  # noqa: S608  # nosec B608  (constants of this file)
RENAME = (
    f"{RESPELLED} UPDATE sync_record AS record SET external_id = respelled.external_id"  # noqa: S608  # nosec B608
    " FROM respelled WHERE record.id = respelled.id"
)


class Migration(migrations.Migration):
    dependencies = [
        ("sync", "0002_listed_pages"),
        ("tenancy", "0002_audit_events_of_the_system"),
        ("vault", "0009_way_is_chosen_once"),
    ]

    operations = [
        migrations.AlterField(
            model_name="record",
            name="connection",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="records",
                to="vault.connection",
            ),
        ),
        migrations.AlterField(
            model_name="record",
            name="tenant",
            field=models.ForeignKey(
                db_index=False,
                editable=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="tenancy.tenant",
            ),
        ),
        # No foreign key stands on it. Where the planner knows nothing of the table it is as good to it as the index of
        # `sync_record_once`, and a look for one record then passes through all of the tenant's.
        migrations.RunSQL(
            "ALTER TABLE sync_record DROP CONSTRAINT sync_record_in_tenant",
            "ALTER TABLE sync_record ADD CONSTRAINT sync_record_in_tenant UNIQUE (tenant_id, id)",
        ),
        migrations.RunSQL([MERGE, RENAME], migrations.RunSQL.noop),
    ]
