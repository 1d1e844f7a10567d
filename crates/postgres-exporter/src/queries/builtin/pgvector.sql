-- Known by the access method, so that no function of the extension is needed.
SELECT current_database() AS datname,
       s.schemaname,
       s.relname,
       s.indexrelname,
       m.amname AS method,
       c.relpages::bigint * current_setting('block_size')::bigint AS size_bytes,
       c.reltuples AS tuples,
       s.idx_scan AS scans,
       s.idx_tup_read AS entries_read,
       i.indisvalid AS valid
FROM pg_am AS m
JOIN pg_class AS c ON c.relam = m.oid
JOIN pg_stat_user_indexes AS s ON s.indexrelid = c.oid
JOIN pg_index AS i ON i.indexrelid = c.oid
WHERE m.amname IN ('hnsw', 'ivfflat')
ORDER BY c.relpages DESC, c.oid
LIMIT 500
