SELECT count(*) AS files,
       greatest(0, max(extract(epoch FROM now() - modification))) AS oldest_seconds
FROM pg_ls_archive_statusdir()
WHERE name LIKE '%.ready'
