UNION ALL
SELECT {kind}, NULL, NULL, l.* FROM ({load}) l
