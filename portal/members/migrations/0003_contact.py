"""The contact of a tenant; workers may read who is staff, whom alone they mail about outages."""

import django.db.models.deletion
import uuid
from django.conf import settings
from django.db import migrations, models

from connections.tenancy.row_security import TableStatements


class Migration(migrations.Migration):

    dependencies = [
        ('members', '0002_rights'),
        ('tenancy', '0002_settings'),
    ]

    operations = [
        migrations.CreateModel(
            name='TenantContact',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
            ],
            options={
                'verbose_name': 'contact of a tenant',
                'verbose_name_plural': 'contacts of tenants',
            },
        ),
        migrations.RemoveConstraint(
            model_name='user',
            name='members_user_rights',
        ),
        migrations.AddConstraint(
            model_name='user',
            constraint=TableStatements(name='members_user_rights', statements=['GRANT SELECT, INSERT (email, name, password, is_active, joined_at, time_zone, last_login, session_epoch), UPDATE (email, name, password, time_zone, last_login, session_epoch) ON "{table}" TO portal_web', 'GRANT SELECT (id, email, name, staff_role, is_active, time_zone) ON "{table}" TO portal_worker', 'GRANT SELECT (id, email, name, staff_role, is_active, joined_at, time_zone, last_login, session_epoch), INSERT (email, name, staff_role, is_active, joined_at, time_zone, last_login, session_epoch), UPDATE (name, staff_role, is_active, session_epoch) ON "{table}" TO portal_staff'], undo=['REVOKE ALL ON "{table}" FROM portal_web, portal_worker, portal_staff']),
        ),
        migrations.AddField(
            model_name='tenantcontact',
            name='tenant',
            field=models.OneToOneField(editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenancy.tenant'),
        ),
        migrations.AddField(
            model_name='tenantcontact',
            name='user',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='person'),
        ),
        migrations.AddConstraint(
            model_name='tenantcontact',
            constraint=TableStatements(name='members_contact_fence', statements=['ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', 'CREATE POLICY owner ON "{table}" TO portal_owner USING (true) WITH CHECK (true)', 'CREATE POLICY tenant ON "{table}" TO portal_web, portal_worker USING (tenant_id = (SELECT NULLIF(current_setting(\'portal.tenant_id\', true), \'\')::uuid)) WITH CHECK (tenant_id = (SELECT NULLIF(current_setting(\'portal.tenant_id\', true), \'\')::uuid))', 'CREATE POLICY staff ON "{table}" TO portal_staff USING (true) WITH CHECK (true)', 'GRANT SELECT, INSERT, UPDATE (user_id), DELETE ON "{table}" TO portal_web', 'GRANT SELECT ON "{table}" TO portal_worker', 'GRANT SELECT ON "{table}" TO portal_staff'], undo=['DROP POLICY owner ON "{table}"', 'DROP POLICY tenant ON "{table}"', 'DROP POLICY staff ON "{table}"', 'ALTER TABLE "{table}" NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY', 'REVOKE ALL ON "{table}" FROM portal_web, portal_worker, portal_staff']),
        ),
    ]
