-- A search is a SELECT with a distance in it. Of several the first one tells; texts stay on the server.
SELECT queryid,
       min(CASE
               WHEN query ~* '^([[:space:](]|/\*.*?\*/)*(select|with)\M'
               THEN substring(query FROM '<->|<=>|<#>|<\+>|<~>|<%>')
           END) AS operator
FROM @schema:pg_stat_statements@.pg_stat_statements(true)
WHERE queryid IN (@ids@)
GROUP BY queryid
