"""Who sent each invitation, by id; which second factors are still sealed the old way; rights that staff need to add staff."""

from django.db import migrations

from connections.tenancy.row_security import grants_sql, run_all

ALL = "SELECT, INSERT, UPDATE, DELETE"

# The whole of each table's rights, as they are from here on.
RIGHTS = {
    "account_emailaddress": {"web": ALL, "staff": "SELECT, INSERT"},
    "mfa_authenticator": {"web": ALL, "staff": "SELECT (id, type, user_id, created_at, last_used_at), DELETE"},
}

# A person whom staff add has no password yet, and staff have no right on that column.
PASSWORD_DEFAULT = "ALTER TABLE members_user ALTER COLUMN password SET DEFAULT '!'"
NO_PASSWORD_DEFAULT = "ALTER TABLE members_user ALTER COLUMN password DROP DEFAULT"

# The audit trail says by id who invited; addresses change. Texts are the last resort, for what the trail does not tell.
INVITERS = [
    """
    UPDATE members_invitation i SET inviter_id = a.actor_id FROM tenancy_auditevent a
     WHERE a.tenant_id = i.tenant_id AND a.action = 'member.invited' AND a.subject = i.id::text
       AND EXISTS (SELECT 1 FROM members_user u WHERE u.id = a.actor_id)
    """,
    """
    UPDATE members_invitation i SET inviter_id = u.id FROM members_user u
     WHERE i.inviter_id IS NULL AND lower(u.email) = lower(i.invited_by)
    """,
    """
    UPDATE members_invitation i SET inviter_id = e.user_id FROM account_emailaddress e
     WHERE i.inviter_id IS NULL AND e.verified AND lower(e.email) = lower(i.invited_by)
    """,
    # Without an inviter it would count as the portal's own, which never ends with anybody's role.
    """
    UPDATE members_invitation SET revoked_at = now()
     WHERE inviter_id IS NULL AND invited_by <> 'Pilotage' AND accepted_at IS NULL AND revoked_at IS NULL
    """,
]

LEGACY_SEEDS = """
    INSERT INTO members_legacyseed (authenticator_id, user_id, digest)
    SELECT DISTINCT a.id, a.user_id, encode(sha256(convert_to(v.value, 'UTF8')), 'hex') FROM mfa_authenticator a
     CROSS JOIN LATERAL (
        SELECT a.data ->> 'secret'
         UNION ALL SELECT a.data ->> 'seed'
         UNION ALL SELECT jsonb_array_elements_text(CASE WHEN jsonb_typeof(a.data -> 'migrated_codes') = 'array'
                                                    THEN a.data -> 'migrated_codes' ELSE '[]'::jsonb END)
     ) v(value) WHERE v.value IS NOT NULL
"""


def _rights(schema_editor, tables):
    for table, rights in tables.items():
        schema_editor.execute(f'REVOKE ALL ON "{table}" FROM portal_web, portal_worker, portal_staff')
        run_all(schema_editor, grants_sql(table, **rights))


def forwards(apps, schema_editor):
    run_all(schema_editor, [*INVITERS, LEGACY_SEEDS])
    _rights(schema_editor, RIGHTS)


def backwards(apps, schema_editor):
    _rights(
        schema_editor,
        {
            "account_emailaddress": {"web": ALL, "staff": "SELECT"},
            "mfa_authenticator": {"web": ALL, "staff": "SELECT (id, type, user_id, created_at, last_used_at)"},
        },
    )


class Migration(migrations.Migration):
    dependencies = [
        ("members", "0003_people_by_id_and_enrolment"),
        ("tenancy", "0001_initial"),
    ]
    operations = [
        migrations.RunSQL(PASSWORD_DEFAULT, NO_PASSWORD_DEFAULT),
        migrations.RunPython(forwards, backwards),
    ]
