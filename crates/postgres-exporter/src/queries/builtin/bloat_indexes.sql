-- An estimate from statistics, of B-tree indexes: the pages that the entries should need, and those there are. An
-- entry is 8 bytes and its columns, aligned by 8 together, and a pointer of 4; 40 bytes of a page are its own; leaves are
-- filled as far as the fill factor says, pages above them to 70 per cent. From version 13 on entries of one key share
-- it: where keys repeat, there is more bloat than is told here. An index with a column that has no statistics which the
-- role may read is left out.
WITH largest AS (
    SELECT i.indexrelid,
           i.indrelid,
           i.indkey::int2[] AS keys,
           n.nspname AS schemaname,
           t.relname,
           c.relname AS indexrelname,
           c.relpages::numeric AS pages,
           c.reltuples::numeric AS entries,
           coalesce((SELECT option_value::numeric FROM pg_options_to_table(c.reloptions)
                     WHERE option_name = 'fillfactor'), 90) AS fill,
           current_setting('block_size')::numeric AS page
    FROM pg_index AS i
    JOIN pg_class AS c ON c.oid = i.indexrelid
    JOIN pg_am AS m ON m.oid = c.relam
    JOIN pg_class AS t ON t.oid = i.indrelid
    JOIN pg_namespace AS n ON n.oid = t.relnamespace
    WHERE m.amname = 'btree'
      AND c.relkind = 'i'
      AND c.relpages >= 128
      AND c.reltuples >= 0
      AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
    ORDER BY c.relpages DESC, c.oid
    LIMIT 1000
), widths AS MATERIALIZED (
    -- Looked up one by one, and once: the planner takes a join with the view for a few rows, and would loop over all.
    SELECT l.*,
           (SELECT CASE WHEN count(w.width) = count(*) THEN sum(w.width) END
            FROM (SELECT (SELECT (1 - s.null_frac) * s.avg_width
                          FROM pg_stats AS s
                          WHERE s.schemaname = l.schemaname
                            -- The statistics of an expression stand under the name of the index.
                            AND s.tablename = CASE k.attnum WHEN 0 THEN l.indexrelname ELSE l.relname END
                            AND s.attname = (SELECT a.attname
                                             FROM pg_attribute AS a
                                             WHERE a.attrelid = CASE k.attnum WHEN 0 THEN l.indexrelid ELSE l.indrelid END
                                               AND a.attnum = CASE k.attnum WHEN 0 THEN k.place ELSE k.attnum END)
                            AND NOT s.inherited) AS width
                  FROM unnest(l.keys) WITH ORDINALITY AS k (attnum, place)
                  OFFSET 0) AS w) AS width
    FROM largest AS l
), entries AS (
    SELECT *, ceil((8 + width)::numeric / 8) * 8 + 4 AS entry
    FROM widths
    WHERE width IS NOT NULL
), leaves AS (
    SELECT *,
           ceil(entries / greatest(1, floor((page - 40) * fill / 100 / entry))) AS leaves,
           greatest(2, floor((page - 40) * 0.7 / entry)) AS fan_out
    FROM entries
)
SELECT current_database() AS datname,
       schemaname,
       relname,
       indexrelname,
       pages * page AS size_bytes,
       -- The first page is the index's own.
       greatest(0, pages - 1 - leaves - ceil(leaves / fan_out)) * page AS bloat_bytes
FROM leaves
ORDER BY bloat_bytes DESC, schemaname, relname, indexrelname
LIMIT 200
