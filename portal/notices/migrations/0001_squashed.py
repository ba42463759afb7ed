"""The tables of this app as they were when its first migrations were put into one. Never edited: add a migration."""

import uuid

from django.db import migrations, models

from connections.tenancy.row_security import TableStatements


class Migration(migrations.Migration):
    initial = True

    replaces = [
        ("notices", "0001_initial"),
        ("notices", "0002_mail_queue_and_error_groups"),
    ]

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="ErrorGroup",
            fields=[
                ("id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ("label", models.CharField(max_length=300, verbose_name="what and where")),
                ("mailed_at", models.DateTimeField(null=True, verbose_name="mailed at")),
                ("last_at", models.DateTimeField(null=True, verbose_name="last seen")),
                ("more", models.PositiveIntegerField(default=0, verbose_name="more since then")),
                ("wait_seconds", models.PositiveIntegerField(default=0, verbose_name="wait (seconds)")),
                ("next_at", models.DateTimeField(null=True, verbose_name="next mail not before")),
            ],
            options={
                "verbose_name": "kind of error",
                "verbose_name_plural": "kinds of errors",
                "constraints": [
                    TableStatements(
                        name="notices_error_group_rights",
                        statements=[
                            'GRANT SELECT, INSERT, UPDATE ON "{table}" TO portal_web',
                            'GRANT SELECT, INSERT, UPDATE ON "{table}" TO portal_worker',
                            'GRANT SELECT, INSERT, UPDATE ON "{table}" TO portal_staff',
                        ],
                        undo=['REVOKE ALL ON "{table}" FROM portal_web, portal_worker, portal_staff'],
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="OutgoingMail",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("about", models.UUIDField(null=True, verbose_name="about")),
                ("tries", models.PositiveSmallIntegerField(default=0, verbose_name="tries without success")),
                ("trouble", models.CharField(blank=True, max_length=60, verbose_name="last trouble")),
                ("key_version", models.PositiveIntegerField()),
                ("ciphertext", models.BinaryField()),
                (
                    "state",
                    models.CharField(
                        choices=[("queued", "queued"), ("sent", "sent"), ("refused", "refused"), ("failed", "failed")],
                        default="queued",
                        max_length=8,
                        verbose_name="state",
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="created at")),
                ("sent_at", models.DateTimeField(null=True, verbose_name="sent at")),
            ],
            options={
                "verbose_name": "mail",
                "verbose_name_plural": "mails",
                "indexes": [
                    models.Index(
                        condition=models.Q(("about__isnull", False)),
                        fields=["about", "-created_at"],
                        name="notices_mail_about",
                    )
                ],
                "constraints": [
                    TableStatements(
                        name="notices_mail_rights",
                        statements=[
                            'GRANT INSERT, SELECT (id, about, state, tries, created_at, sent_at) ON "{table}" TO portal_web',
                            'GRANT SELECT, INSERT, UPDATE, DELETE ON "{table}" TO portal_worker',
                            'GRANT INSERT, SELECT (id, about, state, tries, trouble, created_at, sent_at) ON "{table}" TO portal_staff',
                        ],
                        undo=['REVOKE ALL ON "{table}" FROM portal_web, portal_worker, portal_staff'],
                    )
                ],
            },
        ),
    ]
