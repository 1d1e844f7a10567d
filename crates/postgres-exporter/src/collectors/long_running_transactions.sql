SELECT count(*) AS transactions,
       max(greatest(0, extract(epoch FROM clock_timestamp() - xact_start))) AS age_seconds
FROM pg_stat_activity
WHERE state IS DISTINCT FROM 'idle'
  AND query NOT LIKE 'autovacuum:%'
  AND xact_start IS NOT NULL
  -- Not our own, of which there are several at once.
  AND (usename, application_name) IS DISTINCT FROM (current_user, current_setting('application_name'))
