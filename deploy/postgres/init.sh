#!/bin/sh
# Run by PostgreSQL's image when its volume is new: a role and a schema for each service, with the password DATABASE_PASSWORD_<SERVICE>.
set -eu
make() {
  psql --set=ON_ERROR_STOP=1 --quiet --output=/dev/null --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
    --set=role="$1" --set=password="$2" --file=/deploy/role.sql --file=/deploy/schema.sql
}
make registry "$DATABASE_PASSWORD_REGISTRY"
make metrics "$DATABASE_PASSWORD_METRICS"
make validation "$DATABASE_PASSWORD_VALIDATION"
make flags "$DATABASE_PASSWORD_FLAGS"
