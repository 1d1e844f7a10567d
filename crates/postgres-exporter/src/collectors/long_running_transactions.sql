SELECT count(*) AS transactions,
       max(extract(epoch FROM clock_timestamp() - xact_start)) AS age_seconds
FROM pg_stat_activity
WHERE state IS DISTINCT FROM 'idle'
  AND query NOT LIKE 'autovacuum:%'
  AND xact_start IS NOT NULL
  AND pid <> pg_backend_pid()
