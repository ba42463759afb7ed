"""Names are found by any part of them, without their accents: by an index of their pairs and triples of letters.

Plain functions of PostgreSQL: whoever runs the portal need not be allowed to create extensions.
"""

from django.db import migrations

# Marks that stand above or below a letter come off it (NFKD takes them apart); some letters have theirs built in.
FUNCTIONS = r"""
CREATE FUNCTION portal_searched(name text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT btrim(regexp_replace(replace(replace(lower(translate(
        regexp_replace(normalize(name, NFKD), '[\u0300-\u036f\u064b-\u065f\u200b-\u200f]', '', 'g'),
        'ØøŁłĐđıيىك۰۱۲۳۴۵۶۷۸۹٠١٢٣٤٥٦٧٨٩', 'oollddiییک01234567890123456789'
    )), 'ß', 'ss'), 'æ', 'ae'), '\s+', ' ', 'g'))
$$;
CREATE FUNCTION portal_ngrams(name text) RETURNS text[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT coalesce(array_agg(DISTINCT substr(searched, place, length)), '{}')
    FROM (SELECT public.portal_searched(name) AS searched) AS names,
        LATERAL generate_series(1, length(searched) - 1) AS place, (VALUES (2), (3)) AS lengths (length)
    WHERE place + length - 1 <= length(searched)
$$;
CREATE FUNCTION portal_ngrams_of_part(part text) RETURNS text[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT coalesce(array_agg(DISTINCT substr(searched, place, least(3, length(searched)))), '{}')
    FROM (SELECT public.portal_searched(part) AS searched) AS parts,
        LATERAL generate_series(1, greatest(1, length(searched) - 2)) AS place
    WHERE length(searched) > 1
$$;
"""
NO_FUNCTIONS = """
DROP FUNCTION portal_ngrams_of_part(text);
DROP FUNCTION portal_ngrams(text);
DROP FUNCTION portal_searched(text);
"""
INDEX = "CREATE INDEX tenancy_tenant_name_parts ON tenancy_tenant USING gin (portal_ngrams(name))"


class Migration(migrations.Migration):
    dependencies = [("tenancy", "0002_settings")]
    operations = [
        migrations.RunSQL([FUNCTIONS], NO_FUNCTIONS),
        migrations.RunSQL([INDEX], "DROP INDEX tenancy_tenant_name_parts"),
    ]
