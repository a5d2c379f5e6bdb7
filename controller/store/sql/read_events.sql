SELECT type, reason, message, count, first_at, last_at
FROM skypanel.events
WHERE kind = %(kind)s AND object_id = %(id)s
ORDER BY id DESC
LIMIT %(limit)s
