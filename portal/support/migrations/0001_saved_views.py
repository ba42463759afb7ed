"""Views of a list that staff keep for themselves."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from connections.tenancy.row_security import TableStatements


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="SavedView",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=60, verbose_name="name")),
                ("query", models.TextField(blank=True, max_length=2000, verbose_name="filters")),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="kept since")),
                (
                    "user",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "view of a list",
                "verbose_name_plural": "views of lists",
                "ordering": ["name"],
                "constraints": [
                    models.UniqueConstraint(fields=("user", "name"), name="support_view_once"),
                    TableStatements(
                        name="support_view_rights",
                        statements=['GRANT SELECT, INSERT, UPDATE (query), DELETE ON "{table}" TO portal_staff'],
                        undo=['REVOKE ALL ON "{table}" FROM portal_web, portal_worker, portal_staff'],
                    ),
                ],
            },
        ),
    ]
