SELECT current_database() AS datname,
       s.subname,
       v.state,
       count(r.srrelid) AS tables
FROM pg_subscription AS s
JOIN pg_database AS d ON d.oid = s.subdbid AND d.datname = current_database()
CROSS JOIN (VALUES ('i', 'initialize'), ('d', 'copy'), ('f', 'copied'), ('s', 'synchronized'), ('r', 'ready')) AS v (code, state)
LEFT JOIN pg_subscription_rel AS r ON r.srsubid = s.oid AND r.srsubstate::text = v.code
GROUP BY s.subname, v.state
