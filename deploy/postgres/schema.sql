-- The schema of one service, which has its role's name: the role owns it and may use nothing else of the database. Again, it changes nothing.
--   psql --dbname=emr --set=role=registry --file=schema.sql
SELECT set_config('emr.role', :'role', false);
DO $$
DECLARE
  role text := current_setting('emr.role');
  one record;
BEGIN
  EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
  EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), role);
  REVOKE ALL ON SCHEMA public FROM PUBLIC;
  EXECUTE format('CREATE SCHEMA IF NOT EXISTS %I', role);
  EXECUTE format('ALTER SCHEMA %I OWNER TO %I', role, role);
  -- What a service made here before it had a role.
  FOR one IN
    SELECT format('TABLE %s', oid::regclass) AS thing FROM pg_class
    WHERE relnamespace = to_regnamespace(quote_ident(role)) AND relkind IN ('r', 'p', 'v', 'm') AND relowner <> to_regrole(quote_ident(role))
    UNION ALL
    SELECT format('FUNCTION %s', oid::regprocedure) FROM pg_proc
    WHERE pronamespace = to_regnamespace(quote_ident(role)) AND proowner <> to_regrole(quote_ident(role))
  LOOP
    EXECUTE format('ALTER %s OWNER TO %I', one.thing, role);
  END LOOP;
END $$;
