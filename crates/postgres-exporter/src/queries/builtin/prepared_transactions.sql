SELECT d.datname,
       count(p.gid) AS count,
       greatest(0, max(extract(epoch FROM now() - p.prepared))) AS oldest_seconds
FROM pg_database AS d
LEFT JOIN pg_prepared_xacts AS p ON p.database = d.datname
WHERE d.datallowconn
GROUP BY d.datname
