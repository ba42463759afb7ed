"""Requests to connect several companies; their calls stand in the request log before there is a connection."""

import connections.tenancy.row_security
import django.db.models.deletion
import uuid
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('tenancy', '0001_initial'),
        ('transport', '0003_attempts_and_budgets'),
    ]

    operations = [
        migrations.CreateModel(
            name='ActivationRequest',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('provider', models.CharField(max_length=40, verbose_name='provider')),
                ('environment', models.CharField(max_length=12, verbose_name='environment')),
                ('key_version', models.PositiveIntegerField()),
                ('request_ciphertext', models.BinaryField()),
                ('actor_id', models.BigIntegerField(null=True)),
                ('actor_name', models.CharField(max_length=254, verbose_name='who')),
                ('state', models.CharField(choices=[('asked', 'being fetched'), ('shown', 'waits for a decision'), ('deciding', 'being carried out'), ('decided', 'carried out'), ('expired', 'expired'), ('failed', 'failed')], default='asked', max_length=10, verbose_name='state')),
                ('proposal', models.JSONField(default=dict)),
                ('expires_at', models.DateTimeField(null=True, verbose_name='valid until')),
                ('approved', models.JSONField(default=list)),
                ('opened', models.JSONField(default=dict)),
                ('asked_at', models.DateTimeField(auto_now_add=True, verbose_name='asked at')),
                ('ended_at', models.DateTimeField(null=True, verbose_name='ended at')),
                ('word', models.CharField(blank=True, max_length=60, verbose_name='why')),
                ('entry_id', models.UUIDField(null=True, verbose_name='entry id')),
                ('tenant', models.ForeignKey(editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenancy.tenant')),
            ],
            options={
                'verbose_name': 'activation',
                'verbose_name_plural': 'activations',
                'ordering': ['-asked_at'],
                'constraints': [connections.tenancy.row_security.RowSecurity(name='transport_activation_fence', person='', staff='SELECT (id, tenant_id, provider, environment, actor_name, state, expires_at, asked_at, ended_at, word, entry_id)', web='SELECT (id, tenant_id, provider, environment, actor_id, actor_name, state, proposal, expires_at, approved, opened, asked_at, ended_at, word, entry_id), INSERT, UPDATE (state, approved)', worker='SELECT, UPDATE')],
            },
        ),
        migrations.RunSQL(
            "ALTER TABLE transport_entry ALTER COLUMN connection_id DROP NOT NULL",
            "ALTER TABLE transport_entry ALTER COLUMN connection_id SET NOT NULL",
        ),
    ]
