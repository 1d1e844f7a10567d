SELECT datname,
       datconnlimit AS connection_limit,
       CASE
           WHEN has_database_privilege(oid, 'CONNECT') OR pg_has_role('pg_read_all_stats', 'USAGE')
           THEN pg_database_size(oid)
       END AS size_bytes
FROM pg_database
