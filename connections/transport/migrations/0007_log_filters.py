"""Indexes for what staff narrow the request log by. What is rare has an index of the rare rows alone."""

from django.db import migrations

INDEXES = {
    "transport_entry_provider": "(provider, environment, at DESC, id DESC)",
    "transport_entry_operation": "(operation, at DESC, id DESC)",
    "transport_entry_outcome": "(outcome, at DESC, id DESC) WHERE outcome <> 'answered'",
    "transport_entry_fault": "(fault, at DESC, id DESC) WHERE fault <> ''",
    "transport_entry_checkpoint": "(checkpoint, at DESC, id DESC) WHERE checkpoint <> ''",
    "transport_entry_repeated": "(at DESC, id DESC) WHERE attempt > 1",
    "transport_entry_slow": "(at DESC, id DESC) WHERE duration_ms > 2000",
}


class Migration(migrations.Migration):
    dependencies = [("transport", "0006_counted_entries")]
    operations = [
        migrations.RunSQL(f"CREATE INDEX {name} ON transport_entry {rest}", f"DROP INDEX {name}")
        for name, rest in INDEXES.items()
    ]
