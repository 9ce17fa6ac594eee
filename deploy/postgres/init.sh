#!/bin/sh
# The roles and schemas of a new database, with an owner apart, as a superuser; again it sets the passwords anew. PostgreSQL's image runs it when its
# volume is new; elsewhere: PGHOST=… PGUSER=postgres PGDATABASE=emr DATABASE_PASSWORD_OWNER=… DATABASE_PASSWORD_REGISTRY=… sh init.sh
set -eu
export PGUSER="${PGUSER:-${POSTGRES_USER:-postgres}}" PGDATABASE="${PGDATABASE:-${POSTGRES_DB:-emr}}"
folder="${SQL_FOLDER:-/etc/emr}"
run() { psql --set=ON_ERROR_STOP=1 --quiet --output=/dev/null "$@"; }
make() {
  run --set=role="$1" --set=password="$2" --set=owner=emr_owner --file="$folder/role.sql" --file="$folder/schema.sql"
}
run --set=role=emr_owner --set=password="$DATABASE_PASSWORD_OWNER" --file="$folder/role.sql"
make registry "$DATABASE_PASSWORD_REGISTRY"
make metrics "$DATABASE_PASSWORD_METRICS"
make validation "$DATABASE_PASSWORD_VALIDATION"
make flags "$DATABASE_PASSWORD_FLAGS"
