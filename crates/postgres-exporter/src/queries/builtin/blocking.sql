SELECT d.datname,
       count(a.pid) AS sessions,
       greatest(0, max(extract(epoch FROM clock_timestamp() - a.state_change))) AS longest_seconds
FROM pg_database AS d
LEFT JOIN pg_stat_activity AS a
       ON a.datid = d.oid AND a.wait_event_type = 'Lock' AND cardinality(pg_blocking_pids(a.pid)) > 0
WHERE d.datallowconn
GROUP BY d.datname
