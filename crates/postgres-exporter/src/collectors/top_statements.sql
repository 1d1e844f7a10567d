SELECT coalesce(pg_get_userbyid(userid), '') AS "user",
       coalesce(d.datname, '') AS datname,
       queryid,
       sum(calls) AS calls,
       sum(total_exec_time) / 1000 AS seconds,
       sum(rows) AS rows,
       sum(shared_blks_hit) AS blocks_hit,
       sum(shared_blks_read) AS blocks_read,
       sum(temp_blks_written) AS temp_blocks_written
FROM @schema:pg_stat_statements@.pg_stat_statements(false) AS s
LEFT JOIN pg_database AS d ON d.oid = s.dbid
WHERE queryid IS NOT NULL
GROUP BY 1, 2, 3
