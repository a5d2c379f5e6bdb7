-- What became of a request to look now: whether it was handled, and how the object is.
SELECT s.handled_token = %(token)s, s.reason, s.message, s.finalized_at IS NOT NULL
FROM skypanel.object_status s
WHERE s.kind = %(kind)s AND s.id = %(id)s
