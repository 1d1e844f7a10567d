SELECT datname,
       backend_type,
       coalesce(wait_event_type, 'CPU') AS wait_event_type,
       coalesce(wait_event, 'CPU') AS wait_event,
       count(*) AS samples
FROM pg_stat_activity
WHERE pid <> pg_backend_pid()
  AND (state IN ('active', 'fastpath function call')
       OR (state IS NULL AND wait_event_type IS DISTINCT FROM 'Activity'))
GROUP BY 1, 2, 3, 4
