SELECT s.userid,
       coalesce(d.datname, '') AS datname,
       s.queryid,
       sum(s.calls) AS calls,
       sum(s.total_exec_time) / 1000 AS seconds,
       sum(s.rows) AS rows
FROM @schema:pg_stat_statements@.pg_stat_statements(false) AS s
LEFT JOIN pg_database AS d ON d.oid = s.dbid
WHERE s.queryid IS NOT NULL
GROUP BY 1, 2, 3
