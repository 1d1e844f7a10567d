SELECT s.*, trunc(extract(epoch FROM s.stats_reset)) AS stats_reset_seconds
FROM pg_stat_database AS s
-- Shared relations have a row without a name.
WHERE s.datname IS NOT NULL
