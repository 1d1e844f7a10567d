#!/bin/sh
# The databases and roles of the platform, made once, when the data folder is new. Everybody owns
# what is theirs; the exporter may log in and read statistics, and nothing else.
set -eu

psql --no-psqlrc -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname lakehouse \
  -v airflow_password="$AIRFLOW_DB_PASSWORD" \
  -v lake_password="$LAKE_DB_PASSWORD" \
  -v monitor_password="$MONITOR_DB_PASSWORD" <<'SQL'
CREATE ROLE airflow LOGIN PASSWORD :'airflow_password';
CREATE DATABASE airflow OWNER airflow;
REVOKE CONNECT ON DATABASE airflow FROM PUBLIC;

CREATE ROLE lake LOGIN PASSWORD :'lake_password';
CREATE SCHEMA lake AUTHORIZATION lake;
ALTER ROLE lake SET search_path = lake;

CREATE ROLE monitor LOGIN PASSWORD :'monitor_password' CONNECTION LIMIT 8 IN ROLE pg_monitor;
ALTER ROLE monitor SET default_transaction_read_only = on;
ALTER ROLE monitor SET statement_timeout = '10s';

REVOKE CONNECT ON DATABASE lakehouse FROM PUBLIC;
GRANT CONNECT ON DATABASE lakehouse TO lake, monitor;

SET ROLE lake;
SET search_path = lake;

CREATE TABLE orders (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  product text NOT NULL,
  quantity integer NOT NULL,
  price numeric(10, 2) NOT NULL,
  ordered_at timestamptz NOT NULL DEFAULT now(),
  exported_at timestamptz
);
CREATE INDEX orders_not_exported ON orders (id) WHERE exported_at IS NULL;

CREATE TABLE revenue (
  product text PRIMARY KEY,
  orders bigint NOT NULL,
  amount numeric(14, 2) NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE orders_rejected (LIKE orders);
SQL
