-- A row for each statement, whether run by a client or within another one, and for each database
-- without any. Before version 1.9 of the extension the inner query has no such column of its own, so
-- that the one of `older` is meant.
SELECT s.userid,
       s.dbid,
       s.queryid,
       s.toplevel,
       d.datname,
       s.calls,
       s.seconds,
       s.rows
FROM (
    SELECT known.*
    FROM (SELECT true AS toplevel) AS older
    CROSS JOIN LATERAL (
        SELECT userid, dbid, queryid, toplevel, calls, total_exec_time / 1000 AS seconds, rows
        FROM @schema:pg_stat_statements@.pg_stat_statements(false)
        WHERE queryid IS NOT NULL
    ) AS known
) AS s
FULL JOIN pg_database AS d ON d.oid = s.dbid
