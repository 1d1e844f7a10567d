-- The size functions lock what they measure, and so would wait behind whoever has, or waits for, an
-- exclusive lock. Such tables are measured by the pages that the last VACUUM or ANALYZE counted, and
-- so are all of them where the marker below says so.
WITH exclusive AS MATERIALIZED (
    SELECT coalesce(i.indrelid, t.oid, l.relation) AS relid
    FROM pg_locks AS l
    LEFT JOIN pg_index AS i ON i.indexrelid = l.relation
    LEFT JOIN pg_class AS t ON t.reltoastrelid = coalesce(i.indrelid, l.relation) AND t.reltoastrelid <> 0
    WHERE l.locktype = 'relation'
      AND l.mode = 'AccessExclusiveLock'
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
), tables AS (
    SELECT s.*,
           c.relpages * current_setting('block_size')::bigint AS pages_size,
           /* estimate */ s.relid IN (SELECT relid FROM exclusive) AS estimated
    FROM pg_stat_user_tables AS s
    JOIN pg_class AS c ON c.oid = s.relid
)
SELECT current_database() AS datname,
       schemaname,
       relname,
       seq_scan, seq_tup_read, idx_scan, idx_tup_fetch,
       n_tup_ins, n_tup_upd, n_tup_del, n_tup_hot_upd,
       n_live_tup, n_dead_tup, n_mod_since_analyze,
       trunc(extract(epoch FROM last_vacuum)) AS last_vacuum,
       trunc(extract(epoch FROM last_autovacuum)) AS last_autovacuum,
       trunc(extract(epoch FROM last_analyze)) AS last_analyze,
       trunc(extract(epoch FROM last_autoanalyze)) AS last_autoanalyze,
       vacuum_count, autovacuum_count, analyze_count, autoanalyze_count,
       CASE WHEN estimated THEN pages_size ELSE pg_table_size(relid) END AS table_size_bytes,
       CASE WHEN estimated
           THEN (SELECT sum(c.relpages) * current_setting('block_size')::bigint
                 FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
                 WHERE i.indrelid = tables.relid)
           ELSE pg_indexes_size(relid)
       END AS index_size_bytes
FROM tables
