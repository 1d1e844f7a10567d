-- Sizes are estimates of the last VACUUM, ANALYZE or CREATE INDEX: measuring would wait for locks.
SELECT current_database() AS datname,
       s.schemaname,
       s.relname,
       s.indexrelname,
       s.idx_scan,
       s.idx_tup_read,
       s.idx_tup_fetch,
       c.relpages::bigint * current_setting('block_size')::bigint AS size_bytes,
       i.indisvalid AS valid
FROM pg_stat_user_indexes AS s
JOIN pg_index AS i ON i.indexrelid = s.indexrelid
JOIN pg_class AS c ON c.oid = s.indexrelid
ORDER BY c.relpages DESC, s.indexrelid
LIMIT 2000
