"""Indexes for what staff paste into the box."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('tenancy', '0002_audit_events_of_the_system'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='auditevent',
            index=models.Index(fields=['action'], name='tenancy_audit_action_begins', opclasses=['varchar_pattern_ops']),
        ),
        migrations.AddIndex(
            model_name='auditevent',
            index=models.Index(fields=['subject', '-happened_at'], name='tenancy_audit_of_subject'),
        ),
        migrations.AddIndex(
            model_name='auditevent',
            index=models.Index(fields=['actor_id', '-happened_at'], name='tenancy_audit_of_actor'),
        ),
        migrations.AddIndex(
            model_name='systemauditevent',
            index=models.Index(fields=['action'], name='tenancy_system_audit_begins', opclasses=['varchar_pattern_ops']),
        ),
        migrations.AddIndex(
            model_name='systemauditevent',
            index=models.Index(fields=['subject', '-happened_at'], name='tenancy_system_audit_subject'),
        ),
        migrations.AddIndex(
            model_name='systemauditevent',
            index=models.Index(fields=['actor_id', '-happened_at'], name='tenancy_system_audit_actor'),
        ),
        migrations.AddIndex(
            model_name='tenant',
            index=models.Index(fields=['name', 'id'], name='tenancy_tenant_by_name'),
        ),
    ]
