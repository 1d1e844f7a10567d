SELECT current_database() AS datname, schemaname, relname, indexrelname, idx_blks_read, idx_blks_hit
FROM pg_statio_user_indexes
