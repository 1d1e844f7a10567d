SELECT a.datname,
       coalesce(s.version, 'none') AS version,
       coalesce(s.cipher, 'none') AS cipher,
       count(*) AS sessions
FROM pg_stat_ssl AS s
JOIN pg_stat_activity AS a ON a.pid = s.pid
WHERE a.backend_type = 'client backend'
  AND a.pid <> pg_backend_pid()
GROUP BY 1, 2, 3
