-- The function below the view, since versions name its columns differently. A table of another
-- database has a number and no name here.
SELECT d.datname,
       coalesce(
           CASE
               WHEN d.datname <> current_database() THEN NULL
               WHEN n.nspname IN ('public', 'pg_catalog') THEN quote_ident(c.relname)
               ELSE quote_ident(n.nspname) || '.' || quote_ident(c.relname)
           END,
           s.relid::text
       ) AS relname,
       (s.param1 = 0)::int AS phase_0,
       (s.param1 = 1)::int AS phase_1,
       (s.param1 = 2)::int AS phase_2,
       (s.param1 = 3)::int AS phase_3,
       (s.param1 = 4)::int AS phase_4,
       (s.param1 = 5)::int AS phase_5,
       (s.param1 = 6)::int AS phase_6,
       s.param2 AS heap_blks_total,
       s.param3 AS heap_blks_scanned,
       s.param4 AS heap_blks_vacuumed,
       s.param5 AS index_vacuum_count,
       s.param6 AS max_dead_tuples,
       s.param7 AS num_dead_tuples
FROM pg_stat_get_progress_info('VACUUM') AS s
LEFT JOIN pg_database AS d ON d.oid = s.datid
LEFT JOIN pg_class AS c ON c.oid = s.relid
LEFT JOIN pg_namespace AS n ON n.oid = c.relnamespace
