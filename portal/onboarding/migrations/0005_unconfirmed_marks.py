"""A fourth state of a mark: we found it, and a person must say that it is meant."""

from __future__ import annotations

from django.db import migrations, models

STATES = [
    ("open", "open"),
    ("unconfirmed", "unconfirmed"),
    ("attested", "attested"),
    ("inferred", "inferred"),
    ("verified", "verified"),
    ("failing", "failing"),
    ("waived", "waived"),
]


class Migration(migrations.Migration):
    dependencies = [("onboarding", "0004_completion_is_the_workers")]

    operations = [
        migrations.AlterField("evidence", "state", models.CharField(choices=STATES, max_length=12, verbose_name="state")),
        migrations.AlterField(
            "mark", "state", models.CharField(choices=STATES, default="open", max_length=12, verbose_name="state")
        ),
    ]
