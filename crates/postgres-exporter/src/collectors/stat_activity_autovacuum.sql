-- The oldest, where tables of several databases have the same name.
SELECT regexp_replace(split_part(query, '.', 2), ' \(to prevent wraparound\)$', '') AS relname,
       min(extract(epoch FROM xact_start)) AS timestamp_seconds
FROM pg_stat_activity
WHERE query LIKE 'autovacuum:%'
GROUP BY 1
