WITH states (state) AS (
    VALUES ('active'), ('idle'), ('idle in transaction'), ('idle in transaction (aborted)'),
           ('fastpath function call'), ('disabled')
), backends AS (
    SELECT datname, state, usename, application_name, backend_type, wait_event_type, wait_event,
           count(*) AS count,
           max(greatest(0, extract(epoch FROM clock_timestamp() - xact_start))) AS max_tx_duration
    FROM pg_stat_activity
    WHERE pid <> pg_backend_pid()
    GROUP BY datname, state, usename, application_name, backend_type, wait_event_type, wait_event
)
SELECT d.datname, s.state, b.usename, b.application_name, b.backend_type, b.wait_event_type, b.wait_event,
       coalesce(b.count, 0) AS count,
       coalesce(b.max_tx_duration, 0) AS max_tx_duration
FROM pg_database AS d
CROSS JOIN states AS s
LEFT JOIN backends AS b ON b.datname = d.datname AND b.state = s.state
