"""An index of the jobs that were given up."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0006_dispatch_switch"),
        ("tenancy", "0003_searched_names"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="job",
            index=models.Index(condition=models.Q(("state", "parked")), fields=["-created_at"], name="jobs_newest_parked"),
        ),
    ]
