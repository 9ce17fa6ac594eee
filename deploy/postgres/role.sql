-- The role of one service: it may log in and has no rights of its own. Once a server; again, it gives the role the password.
--   psql --set=role=registry --set=password=… --file=role.sql
SELECT set_config('emr.role', :'role', false), set_config('emr.password', :'password', false);
DO $$
DECLARE
  role text := current_setting('emr.role');
BEGIN
  IF to_regrole(quote_ident(role)) IS NULL THEN
    EXECUTE format('CREATE ROLE %I', role);
  END IF;
  EXECUTE format(
    'ALTER ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD %L',
    role, current_setting('emr.password')
  );
END $$;
SELECT set_config('emr.password', '', false);
