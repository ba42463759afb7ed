"""The link at a provider by which customers choose several companies at once; the portal shows it to them."""

from __future__ import annotations

from django.db import migrations, models

from connections.tenancy.row_security import NoRowSecurity

REASON = "our own registration at a provider, shared by all tenants; the secret is sealed for the house"


class Migration(migrations.Migration):
    dependencies = [("vault", "0010_refusal_of_a_refresh_token")]

    operations = [
        migrations.RemoveConstraint(model_name="clientregistration", name="vault_registration_rights"),
        migrations.AddField(
            model_name="clientregistration",
            name="activation_link",
            field=models.URLField(
                blank=True,
                default="",
                help_text="Where customers choose several companies at once, as the provider told us. Shown to customers.",
                max_length=500,
                verbose_name="activation link",
            ),
            preserve_default=False,
        ),
        migrations.AddConstraint(
            model_name="clientregistration",
            constraint=NoRowSecurity(
                name="vault_registration_rights",
                reason=REASON,
                web="SELECT (id, provider, environment, client_id, redirect_uri, activation_link, api_version, changed_at)",
                worker="SELECT, UPDATE (key_version, secret_ciphertext)",
                staff="SELECT (id, provider, environment, client_id, redirect_uri, activation_link, api_version, secret_hint,"
                " key_version, changed_at), INSERT, UPDATE (client_id, redirect_uri, activation_link, api_version,"
                " key_version, secret_ciphertext, secret_hint, changed_at), DELETE",
            ),
        ),
    ]
