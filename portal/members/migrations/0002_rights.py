"""The roles' rights on tables that come with Django and allauth."""

from django.db import migrations

from connections.tenancy.row_security import grants_sql, run_all

ALL = "SELECT, INSERT, UPDATE, DELETE"

# People sign in before a tenant is known: none of these tables belongs to a tenant.
RIGHTS = {
    "django_session": {"web": ALL},
    "usersessions_usersession": {"web": ALL},
    "account_emailaddress": {"web": ALL, "staff": "SELECT"},
    "account_emailconfirmation": {"web": ALL},
    "mfa_authenticator": {"web": ALL, "staff": "SELECT (id, type, user_id, created_at, last_used_at)"},
    "django_content_type": {"web": "SELECT", "staff": "SELECT"},
    "django_admin_log": {"staff": "SELECT, INSERT"},
    "django_migrations": {"web": "SELECT", "worker": "SELECT"},
}


def forwards(apps, schema_editor):
    for table, rights in RIGHTS.items():
        run_all(schema_editor, grants_sql(table, **rights))


def backwards(apps, schema_editor):
    for table in RIGHTS:
        schema_editor.execute(f'REVOKE ALL ON "{table}" FROM portal_web, portal_worker, portal_staff')


class Migration(migrations.Migration):
    dependencies = [
        ("members", "0001_initial"),
        ("account", "0009_emailaddress_unique_primary_email"),
        ("mfa", "0003_authenticator_type_uniq"),
        ("usersessions", "0001_initial"),
        ("sessions", "0001_initial"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("admin", "0003_logentry_add_action_flag_choices"),
    ]
    operations = [migrations.RunPython(forwards, backwards)]
