SELECT s.*, trunc(extract(epoch FROM s.stats_reset)) AS stats_reset_seconds
FROM pg_stat_bgwriter AS s
