-- Who may do what in the database where migrations run apart, in compose and on Kubernetes (role.sql and schema.sql: where each service owns its schema
-- and migrates it itself). Run it once in the new database, as a superuser; again it does nothing. Passwords are set elsewhere.
--
-- emr_owner owns the four schemas and is whom migrations run as. A service's role may read and write the rows of its own schema: it sees no other
-- schema, and cannot change a table, or take off the trigger that keeps its audit append-only.
DO $$
DECLARE
  service text;
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'emr_owner') THEN
    CREATE ROLE emr_owner LOGIN;
  END IF;
  EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
  EXECUTE format('GRANT CONNECT ON DATABASE %I TO emr_owner', current_database());
  REVOKE ALL ON SCHEMA public FROM PUBLIC;
  FOREACH service IN ARRAY ARRAY['registry', 'metrics', 'validation', 'flags'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = service) THEN
      EXECUTE format('CREATE ROLE %I LOGIN', service);
    END IF;
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), service);
    EXECUTE format('CREATE SCHEMA IF NOT EXISTS %I AUTHORIZATION emr_owner', service);
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', service, service);
    EXECUTE format(
      'ALTER DEFAULT PRIVILEGES FOR ROLE emr_owner IN SCHEMA %I GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO %I', service, service);
    EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE emr_owner IN SCHEMA %I GRANT USAGE ON SEQUENCES TO %I', service, service);
  END LOOP;
END
$$;
