SELECT queryid, min(left(query, @length@)) AS query
FROM @schema:pg_stat_statements@.pg_stat_statements(true)
WHERE queryid IN (@ids@)
GROUP BY queryid
