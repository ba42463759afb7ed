"""The tables of the cache and of what was counted."""

import connections.tenancy.row_security
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='CacheEntry',
            fields=[
                ('key', models.CharField(max_length=64, primary_key=True, serialize=False)),
                ('value', models.JSONField()),
                ('expires_at', models.DateTimeField(null=True)),
            ],
            options={
                'verbose_name': 'cache entry',
                'verbose_name_plural': 'cache entries',
                'indexes': [models.Index(fields=['expires_at'], name='rate_limits_cache_expiry')],
                'constraints': [connections.tenancy.row_security.NoRowSecurity(name='rate_limits_cache_rights', reason="people sign in before a tenant is known; counts and marks of their tries, no tenant's rows", staff='', web='SELECT, INSERT, UPDATE, DELETE', worker='')],
            },
        ),
        migrations.CreateModel(
            name='Usage',
            fields=[
                ('key', models.CharField(max_length=160, primary_key=True, serialize=False)),
                ('count', models.PositiveIntegerField()),
                ('opens_at', models.DateTimeField()),
            ],
            options={
                'verbose_name': 'usage',
                'verbose_name_plural': 'usages',
                'indexes': [models.Index(fields=['opens_at'], name='rate_limits_usage_expiry')],
                'constraints': [connections.tenancy.row_security.NoRowSecurity(name='rate_limits_usage_rights', reason='counts of what people, addresses and the whole house did; a limit holds across tenants', staff='', web='SELECT, INSERT, UPDATE, DELETE', worker='')],
            },
        ),
    ]
