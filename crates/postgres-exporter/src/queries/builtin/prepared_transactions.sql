SELECT d.datname,
       count(p.gid) AS count,
       coalesce(max(extract(epoch FROM now() - p.prepared)), 0) AS oldest_seconds
FROM pg_database AS d
LEFT JOIN pg_prepared_xacts AS p ON p.database = d.datname
WHERE d.datallowconn
GROUP BY d.datname
