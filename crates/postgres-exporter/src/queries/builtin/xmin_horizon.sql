SELECT holder, coalesce(max(age), 0) AS age
FROM (
    VALUES ('backend'), ('prepared_transaction'), ('replication_slot'), ('catalog_of_slot'), ('standby')
) AS h (holder)
LEFT JOIN (
    SELECT 'backend' AS by, age(backend_xmin) AS age
    FROM pg_stat_activity
    WHERE backend_type <> 'walsender' AND pid <> pg_backend_pid()
    UNION ALL
    SELECT 'prepared_transaction', age(transaction) FROM pg_prepared_xacts
    UNION ALL
    SELECT 'replication_slot', age(xmin) FROM pg_replication_slots
    UNION ALL
    SELECT 'catalog_of_slot', age(catalog_xmin) FROM pg_replication_slots
    UNION ALL
    SELECT 'standby', age(backend_xmin) FROM pg_stat_replication
) AS a ON a.by = h.holder
GROUP BY holder
