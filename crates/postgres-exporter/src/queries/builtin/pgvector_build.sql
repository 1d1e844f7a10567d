-- The access method is told by the progress itself: an index that is built within one transaction is
-- not in the catalogue yet, and its `index_relid` is 0.
SELECT p.datname,
       p.relid::bigint AS relid,
       m.amname AS method,
       p.phase,
       p.tuples_done,
       p.tuples_total
FROM pg_stat_progress_create_index AS p
JOIN pg_stat_get_progress_info('CREATE INDEX') AS i ON i.pid = p.pid
JOIN pg_am AS m ON m.oid = i.param9::oid
WHERE m.amname IN ('hnsw', 'ivfflat')
  AND p.datname = current_database()
