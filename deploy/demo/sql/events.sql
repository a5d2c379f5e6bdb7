-- What was said of some objects after an event that was seen, oldest first.
SELECT to_char(last_at, 'HH24:MI:SS') AS at, type, reason, message
FROM skypanel.events
WHERE object_id = ANY(%(objects)s) AND last_at > %(after)s
ORDER BY id
