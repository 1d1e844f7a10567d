-- A duplicate has columns, order, operator classes, expressions and condition of an older index; an
-- unused one enforces nothing and has never been scanned since statistics were reset.
WITH indexes AS (
    SELECT i.indexrelid,
           NOT i.indisvalid AS invalid,
           coalesce(s.idx_scan, 0) = 0 AND i.indisvalid AND NOT i.indisunique AND NOT i.indisexclusion
               AND NOT EXISTS (SELECT FROM pg_constraint AS k WHERE k.conindid = i.indexrelid) AS unused,
           row_number() OVER (
               PARTITION BY i.indrelid, c.relam, i.indkey::text, i.indoption::text, i.indclass::text,
                            i.indcollation::text, i.indexprs::text, i.indpred::text
               ORDER BY i.indisunique DESC, i.indexrelid) > 1 AS duplicate,
           c.relpages::bigint * current_setting('block_size')::bigint AS bytes
    FROM pg_index AS i
    JOIN pg_class AS c ON c.oid = i.indexrelid
    JOIN pg_stat_user_indexes AS s ON s.indexrelid = i.indexrelid
)
SELECT current_database() AS datname,
       problem,
       count(*) FILTER (WHERE has) AS count,
       coalesce(sum(bytes) FILTER (WHERE has), 0) AS bytes
FROM indexes
CROSS JOIN LATERAL (VALUES ('invalid', invalid), ('unused', unused), ('duplicate', duplicate)) AS p (problem, has)
GROUP BY problem
