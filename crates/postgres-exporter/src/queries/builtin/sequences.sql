-- A sequence ends at its own limit or at that of the column which it fills, whichever comes first.
SELECT current_database() AS datname,
       s.schemaname,
       s.sequencename,
       (s.last_value::numeric - s.start_value)
           / nullif(least(s.max_value::numeric, coalesce(t.type_max, s.max_value)) - s.start_value, 0) AS used_ratio,
       least(s.max_value::numeric, coalesce(t.type_max, s.max_value)) - s.last_value AS remaining
FROM pg_sequences AS s
JOIN pg_namespace AS n ON n.nspname = s.schemaname
JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = s.sequencename AND c.relkind = 'S'
LEFT JOIN LATERAL (
    SELECT min(CASE a.atttypid WHEN 'int2'::regtype THEN 32767 WHEN 'int4'::regtype THEN 2147483647 END)::numeric AS type_max
    FROM pg_depend AS d
    JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
    WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i')
) AS t ON true
WHERE s.increment_by > 0
  AND NOT s.cycle
  AND s.last_value IS NOT NULL
ORDER BY used_ratio DESC NULLS LAST, s.schemaname, s.sequencename
LIMIT 100
