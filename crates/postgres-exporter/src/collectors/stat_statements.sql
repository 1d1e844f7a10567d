-- @total@, @read@ and @write@ are the columns of this version. Rows which differ only in being a
-- top-level statement or not are one. The tenth that takes the least time is left out.
WITH statements AS (
    SELECT userid, dbid, queryid, min(@text@) AS query,
           sum(calls) AS calls,
           sum(@total@) AS total,
           sum(rows) AS rows,
           sum(@read@) AS read,
           sum(@write@) AS write
    FROM @schema:pg_stat_statements@.pg_stat_statements(@showtext@)
    GROUP BY userid, dbid, queryid
)
SELECT pg_get_userbyid(s.userid) AS "user",
       d.datname,
       s.queryid,
       left(s.query, @length@) AS query,
       s.calls,
       s.total AS seconds,
       s.rows,
       s.read AS read_seconds,
       s.write AS write_seconds
FROM statements AS s
JOIN pg_database AS d ON d.oid = s.dbid
WHERE s.total > (SELECT percentile_cont(0.1) WITHIN GROUP (ORDER BY total) FROM statements)
  AND d.datname <> ALL (@databases@)
  AND pg_get_userbyid(s.userid) <> ALL (@users@)
ORDER BY s.total DESC
LIMIT @limit@
