-- An estimate from statistics: what the rows should need, and what the table has. 24 bytes head a page,
-- 28 a row with its pointer; columns are taken as aligned by 8 bytes together.
WITH widths AS (
    SELECT schemaname, tablename, sum((1 - null_frac) * avg_width) AS width
    FROM pg_stats
    WHERE NOT inherited
    GROUP BY schemaname, tablename
), tables AS (
    SELECT n.nspname AS schemaname,
           c.relname,
           current_setting('block_size')::numeric AS page,
           c.relpages::numeric AS pages,
           c.reltuples::numeric AS rows,
           ceil((w.width + 28)::numeric / 8) * 8 AS row_bytes,
           coalesce((SELECT option_value::numeric FROM pg_options_to_table(c.reloptions)
                     WHERE option_name = 'fillfactor'), 100) AS fill
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    JOIN widths AS w ON w.schemaname = n.nspname AND w.tablename = c.relname
    WHERE c.relkind IN ('r', 'm')
      AND c.relpages >= 128
      AND c.reltuples >= 0
      AND n.nspname NOT IN ('pg_catalog', 'information_schema')
)
SELECT current_database() AS datname,
       schemaname,
       relname,
       pages * page AS size_bytes,
       greatest(0, pages - ceil(rows * row_bytes / ((page - 24) * fill / 100))) * page AS bloat_bytes
FROM tables
ORDER BY bloat_bytes DESC, schemaname, relname
LIMIT 200
