-- A role for postgres-exporter: it may log in, read statistics and settings, and nothing else. Once
-- for each server, as a superuser:
--
--   psql -v role=monitor -v password="$PASSWORD" -f monitoring-role.sql
--
-- It may be run again, with another password for example. With -v connection_limit=N the role has
-- more, or fewer, than 8 connections; the exporter takes 3 unless --max-connections says otherwise.
\set ON_ERROR_STOP on
\if :{?role} \else \set role monitor \endif
\if :{?connection_limit} \else \set connection_limit 8 \endif

BEGIN;

SELECT format('CREATE ROLE %I', :'role')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role')
\gexec

ALTER ROLE :"role" WITH LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS
  PASSWORD :'password' CONNECTION LIMIT :connection_limit;
GRANT pg_monitor TO :"role";

-- What goes wrong on the way of a query is bounded here as well, whoever logs in with this role.
ALTER ROLE :"role" SET default_transaction_read_only = on;
ALTER ROLE :"role" SET statement_timeout = '10s';
ALTER ROLE :"role" SET lock_timeout = '2s';
ALTER ROLE :"role" SET idle_in_transaction_session_timeout = '30s';

COMMIT;
