"""The roles' rights on tables that come with Django and allauth. None belongs to a tenant: people sign in before one is known.

A migration of its own, because those tables point at people and are made after them. Never edited: add a migration.
"""

from django.db import migrations

GRANTS = """
GRANT SELECT, INSERT, UPDATE, DELETE ON django_session TO portal_web;
GRANT SELECT, INSERT, UPDATE, DELETE ON usersessions_usersession TO portal_web;
GRANT SELECT, INSERT, UPDATE, DELETE ON account_emailaddress TO portal_web;
GRANT SELECT, INSERT ON account_emailaddress TO portal_staff;
GRANT SELECT, INSERT, UPDATE, DELETE ON account_emailconfirmation TO portal_web;
GRANT SELECT, INSERT, UPDATE, DELETE ON mfa_authenticator TO portal_web;
GRANT SELECT (id, type, user_id, created_at, last_used_at), DELETE ON mfa_authenticator TO portal_staff;
GRANT SELECT ON django_content_type TO portal_web, portal_staff;
GRANT SELECT, INSERT ON django_admin_log TO portal_staff;
GRANT SELECT ON django_migrations TO portal_web, portal_worker;
"""

REVOKES = """
REVOKE ALL ON django_session, usersessions_usersession, account_emailaddress, account_emailconfirmation, mfa_authenticator,
    django_content_type, django_admin_log, django_migrations
FROM portal_web, portal_worker, portal_staff;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("members", "0001_squashed"),
        ("account", "0009_emailaddress_unique_primary_email"),
        ("mfa", "0003_authenticator_type_uniq"),
        ("usersessions", "0001_initial"),
        ("sessions", "0001_initial"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("admin", "0003_logentry_add_action_flag_choices"),
    ]
    operations = [migrations.RunSQL(GRANTS, REVOKES)]
