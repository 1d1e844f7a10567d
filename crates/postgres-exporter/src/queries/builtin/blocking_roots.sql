-- From each session that waits up to those which wait for nobody. A cycle is a deadlock, which the
-- server resolves; UNION ends the walk there.
WITH RECURSIVE edges AS (
    SELECT a.pid AS waiter, blocker
    FROM pg_stat_activity AS a
    CROSS JOIN LATERAL unnest(pg_blocking_pids(a.pid)) AS blocker
    WHERE a.wait_event_type = 'Lock'
), walk AS (
    SELECT waiter, blocker FROM edges
    UNION
    SELECT w.waiter, e.blocker FROM walk AS w JOIN edges AS e ON e.waiter = w.blocker
), roots AS (
    SELECT blocker AS pid, count(DISTINCT waiter) AS blocked
    FROM walk
    WHERE blocker NOT IN (SELECT waiter FROM edges)
    GROUP BY blocker
)
SELECT coalesce(a.datname, '') AS datname,
       r.pid,
       coalesce(a.usename, '') AS usename,
       coalesce(a.application_name, 'prepared transaction') AS application_name,
       coalesce(a.state, '') AS state,
       r.blocked AS sessions,
       CASE WHEN a.xact_start IS NOT NULL
           THEN greatest(0, extract(epoch FROM clock_timestamp() - a.xact_start))
       END AS transaction_seconds
FROM roots AS r
LEFT JOIN pg_stat_activity AS a ON a.pid = r.pid
ORDER BY r.blocked DESC, r.pid
LIMIT 20
