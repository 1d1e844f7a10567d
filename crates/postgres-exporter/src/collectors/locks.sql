WITH modes (mode) AS (
    VALUES ('accesssharelock'), ('rowsharelock'), ('rowexclusivelock'), ('shareupdateexclusivelock'),
           ('sharelock'), ('sharerowexclusivelock'), ('exclusivelock'), ('accessexclusivelock'),
           ('sireadlock')
), held AS (
    SELECT database, lower(mode) AS mode, count(*) AS count
    FROM pg_locks
    GROUP BY database, lower(mode)
)
SELECT d.datname, m.mode, coalesce(h.count, 0) AS count
FROM pg_database AS d
CROSS JOIN modes AS m
LEFT JOIN held AS h ON h.database = d.oid AND h.mode = m.mode
