SELECT d.datname, s.subname, s.subenabled
FROM pg_subscription AS s
JOIN pg_database AS d ON d.oid = s.subdbid
