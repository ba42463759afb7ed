-- The roles of the portal and what they may on its database. Run it in that database, as whoever made it:
--
--     createdb portal && psql --dbname portal --file roles.sql
--     psql --dbname portal --command '\password portal_owner'     (and portal_web, portal_worker, portal_backup)
--
-- It may run again: what is there already stays as it is. `make run` does the same by itself (portal/operations/roles.py).

DO $$
DECLARE
    role text;
BEGIN
    FOREACH role IN ARRAY ARRAY['portal_owner', 'portal_web', 'portal_worker'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
            EXECUTE format('CREATE ROLE %I LOGIN NOINHERIT NOCREATEROLE', role);
        END IF;
    END LOOP;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'portal_staff') THEN
        CREATE ROLE portal_staff NOLOGIN NOINHERIT;
    END IF;
END $$;

-- The web process takes the staff's role for the pages of the admin, by SET ROLE and for one transaction. INHERIT FALSE:
-- without that step its login has none of the staff's rights, which reach over all tenants.
GRANT portal_staff TO portal_web WITH INHERIT FALSE, SET TRUE;

-- Backups read every row of every tenant and write nothing. The owner could not: row security holds for it as well, and a
-- dump of what it sees would look whole and not be. Only a superuser can make a role that row security lets pass.
DO $$
BEGIN
    IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'portal_backup') THEN
            CREATE ROLE portal_backup LOGIN INHERIT NOCREATEROLE BYPASSRLS;
        END IF;
        GRANT pg_read_all_data TO portal_backup WITH INHERIT TRUE, SET FALSE;
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO portal_backup', current_database());
    ELSE
        RAISE NOTICE 'portal_backup is not made: that needs a superuser. Back up by what your database offers.';
    END IF;
END $$;

-- Each connection of the portal asks for these limits, too; here they hold for whoever signs in by hand, and behind a
-- pooler that drops what a connection asks for. In milliseconds.
DO $$
DECLARE
    its record;
BEGIN
    FOR its IN SELECT * FROM (VALUES
        ('portal_web', 'statement_timeout', 15000),
        ('portal_web', 'lock_timeout', 5000),
        ('portal_web', 'idle_in_transaction_session_timeout', 60000),
        ('portal_worker', 'statement_timeout', 120000),
        ('portal_worker', 'lock_timeout', 30000),
        ('portal_worker', 'idle_in_transaction_session_timeout', 300000)
    ) AS limits (role, name, milliseconds) LOOP
        EXECUTE format(
            'ALTER ROLE %I IN DATABASE %I SET %I = %s', its.role, current_database(), its.name, its.milliseconds
        );
    END LOOP;
    -- Nobody but these connects, and nobody but the owner makes tables, temporary ones included.
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO portal_web, portal_worker', current_database());
    EXECUTE format('GRANT CONNECT, TEMPORARY, CREATE ON DATABASE %I TO portal_owner', current_database());
END $$;

REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO portal_web, portal_worker, portal_staff;
ALTER SCHEMA public OWNER TO portal_owner;
