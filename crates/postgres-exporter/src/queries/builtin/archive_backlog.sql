SELECT count(*) AS files,
       coalesce(max(extract(epoch FROM now() - modification)), 0) AS oldest_seconds
FROM pg_ls_archive_statusdir()
WHERE name LIKE '%.ready'
