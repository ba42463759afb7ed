"""Whom a mail is for, as far as staff see it, and an index of mails that did not arrive."""

from django.db import migrations, models

from connections.tenancy.row_security import TableStatements


class Migration(migrations.Migration):

    dependencies = [
        ('notices', '0001_squashed'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='outgoingmail',
            name='notices_mail_rights',
        ),
        migrations.AddField(
            model_name='outgoingmail',
            name='recipients_hint',
            field=models.CharField(blank=True, db_default='', default='', max_length=200, verbose_name='for'),
        ),
        migrations.AddIndex(
            model_name='outgoingmail',
            index=models.Index(condition=models.Q(('state__in', ('failed', 'refused'))), fields=['-created_at'], name='notices_mail_unsent'),
        ),
        migrations.AddConstraint(
            model_name='outgoingmail',
            constraint=TableStatements(name='notices_mail_rights', statements=['GRANT INSERT, SELECT (id, about, state, tries, created_at, sent_at) ON "{table}" TO portal_web', 'GRANT SELECT, INSERT, UPDATE, DELETE ON "{table}" TO portal_worker', 'GRANT INSERT, SELECT (id, about, state, tries, trouble, recipients_hint, created_at, sent_at) ON "{table}" TO portal_staff'], undo=['REVOKE ALL ON "{table}" FROM portal_web, portal_worker, portal_staff']),
        ),
    ]
