SELECT p.datname,
       p.relid::bigint AS relid,
       m.amname AS method,
       p.phase,
       p.tuples_done,
       p.tuples_total
FROM pg_stat_progress_create_index AS p
JOIN pg_class AS c ON c.oid = p.index_relid
JOIN pg_am AS m ON m.oid = c.relam
WHERE m.amname IN ('hnsw', 'ivfflat')
  AND p.datname = current_database()
