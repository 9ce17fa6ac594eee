-- The schema of one service, which has its role's name. It is owned by that role, which then migrates it itself, or by another one, as whom migrations
-- run (MIGRATIONS=wait): the service's role then reads and writes rows and can change no table. Either way it may use nothing else of the
-- database. Again, it changes nothing; with another owner, everything gets that owner.
--   psql --dbname=emr --set=role=registry --set=owner=emr_owner --file=schema.sql
SELECT set_config('emr.role', :'role', false), set_config('emr.owner', :'owner', false);
DO $$
DECLARE
  role text := current_setting('emr.role');
  owner text := current_setting('emr.owner');
  one record;
BEGIN
  EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
  EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I, %I', current_database(), role, owner);
  REVOKE ALL ON SCHEMA public FROM PUBLIC;
  EXECUTE format('CREATE SCHEMA IF NOT EXISTS %I', role);
  EXECUTE format('ALTER SCHEMA %I OWNER TO %I', role, owner);
  -- What was made here by somebody else.
  FOR one IN
    SELECT format('TABLE %s', oid::regclass) AS thing FROM pg_class
    WHERE relnamespace = to_regnamespace(quote_ident(role)) AND relkind IN ('r', 'p', 'v', 'm') AND relowner <> to_regrole(quote_ident(owner))
    UNION ALL
    SELECT format('FUNCTION %s', oid::regprocedure) FROM pg_proc
    WHERE pronamespace = to_regnamespace(quote_ident(role)) AND proowner <> to_regrole(quote_ident(owner))
  LOOP
    EXECUTE format('ALTER %s OWNER TO %I', one.thing, owner);
  END LOOP;
  IF owner <> role THEN
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', role, role);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %I TO %I', role, role);
    EXECUTE format('GRANT USAGE ON ALL SEQUENCES IN SCHEMA %I TO %I', role, role);
    EXECUTE format(
      'ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA %I GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO %I', owner, role, role
    );
    EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA %I GRANT USAGE ON SEQUENCES TO %I', owner, role, role);
  END IF;
END $$;
