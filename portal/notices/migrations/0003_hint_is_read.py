"""The web reads back the hint that it writes with a mail, as Django asks for what has a default in the database."""

from django.db import migrations

from connections.tenancy.row_security import TableStatements


class Migration(migrations.Migration):

    dependencies = [
        ('notices', '0002_recipients_hint'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='outgoingmail',
            name='notices_mail_rights',
        ),
        migrations.AddConstraint(
            model_name='outgoingmail',
            constraint=TableStatements(name='notices_mail_rights', statements=['GRANT INSERT, SELECT (id, about, state, tries, recipients_hint, created_at, sent_at) ON "{table}" TO portal_web', 'GRANT SELECT, INSERT, UPDATE, DELETE ON "{table}" TO portal_worker', 'GRANT INSERT, SELECT (id, about, state, tries, trouble, recipients_hint, created_at, sent_at) ON "{table}" TO portal_staff'], undo=['REVOKE ALL ON "{table}" FROM portal_web, portal_worker, portal_staff']),
        ),
    ]
