"""People are found by any part of their names and addresses."""

from django.db import migrations

INDEXES = {
    "members_user_name_parts": "members_user USING gin (portal_ngrams(name))",
    "members_user_email_parts": "members_user USING gin (portal_ngrams(email))",
    "members_address_parts": "account_emailaddress USING gin (portal_ngrams(email))",
}


class Migration(migrations.Migration):
    dependencies = [
        ("members", "0003_contact"),
        ("tenancy", "0003_searched_names"),
        ("account", "0009_emailaddress_unique_primary_email"),
    ]
    operations = [
        migrations.RunSQL(f"CREATE INDEX {name} ON {rest}", f"DROP INDEX {name}") for name, rest in INDEXES.items()
    ]
