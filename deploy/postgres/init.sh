#!/bin/sh
# Makes the roles and schemas of a new database, and sets their passwords.
set -eu
psql="psql --set=ON_ERROR_STOP=1 --quiet --username $POSTGRES_USER --dbname $POSTGRES_DB"
$psql --file=/etc/emr/roles.sql
password_of() {
  $psql --set=role="$1" --set=password="$2" <<'SQL'
ALTER ROLE :"role" PASSWORD :'password';
SQL
}
password_of emr_owner "$DATABASE_PASSWORD_OWNER"
password_of registry "$DATABASE_PASSWORD_REGISTRY"
password_of metrics "$DATABASE_PASSWORD_METRICS"
password_of validation "$DATABASE_PASSWORD_VALIDATION"
password_of flags "$DATABASE_PASSWORD_FLAGS"
