"""Requests that write are off for each connection until an owner switches them on."""

from django.db import migrations, models

from connections.tenancy.row_security import TableStatements


class Migration(migrations.Migration):

    dependencies = [
        ('tenancy', '0003_searched_names'),
        ('vault', '0006_searched_names'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='connection',
            name='vault_connection_fence',
        ),
        migrations.AddField(
            model_name='connection',
            name='allows_writes',
            field=models.BooleanField(db_default=False, default=False, verbose_name='may write'),
        ),
        migrations.AddConstraint(
            model_name='connection',
            constraint=TableStatements(name='vault_connection_fence', statements=['ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', 'CREATE POLICY owner ON "{table}" TO portal_owner USING (true) WITH CHECK (true)', 'CREATE POLICY tenant ON "{table}" TO portal_web, portal_worker USING (tenant_id = (SELECT NULLIF(current_setting(\'portal.tenant_id\', true), \'\')::uuid)) WITH CHECK (tenant_id = (SELECT NULLIF(current_setting(\'portal.tenant_id\', true), \'\')::uuid))', 'CREATE POLICY staff ON "{table}" TO portal_staff USING (true) WITH CHECK (true)', 'DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conname = \'{table}_in_tenant\') THEN ALTER TABLE "{table}" ADD CONSTRAINT "{table}_in_tenant" UNIQUE (tenant_id, id); END IF; END $$', 'GRANT SELECT, INSERT, UPDATE (state, settings, moved_at, leaving, left_at, paused_at, paused_by, pause_reason, allows_writes, company_id, company_name, fault, fault_at) ON "{table}" TO portal_web', 'GRANT SELECT, INSERT, UPDATE ON "{table}" TO portal_worker', 'GRANT SELECT, UPDATE (paused_at, paused_by, pause_reason) ON "{table}" TO portal_staff'], undo=['DROP POLICY owner ON "{table}"', 'DROP POLICY tenant ON "{table}"', 'DROP POLICY staff ON "{table}"', 'ALTER TABLE "{table}" NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY', 'REVOKE ALL ON "{table}" FROM portal_web, portal_worker, portal_staff']),
        ),
    ]
