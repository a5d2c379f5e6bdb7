-- Keys of requests that were answered, or are being worked on.

-- name: claim
-- A row where the key is free: new, a day old, or of the same request that nobody has worked on for minutes.
INSERT INTO skypanel.api_idempotency AS t (id, organization_id, request)
VALUES (%(id)s, %(tenant)s, %(request)s)
ON CONFLICT (id) DO UPDATE SET request = excluded.request, status = NULL, headers = NULL, body = NULL, made_at = clock_timestamp()
WHERE t.made_at < clock_timestamp() - interval '24 hours'
   OR (t.status IS NULL AND t.request = excluded.request AND t.made_at < clock_timestamp() - interval '5 minutes')
RETURNING true

-- name: answer
SELECT request, status, headers, body FROM skypanel.api_idempotency WHERE id = %(id)s

-- name: keep
UPDATE skypanel.api_idempotency SET status = %(status)s, headers = %(headers)s, body = %(body)s WHERE id = %(id)s

-- name: release
DELETE FROM skypanel.api_idempotency WHERE id = %(id)s AND status IS NULL

-- name: prune
-- Keys that are a day old, some at a time.
DELETE FROM skypanel.api_idempotency WHERE id IN (
    SELECT id FROM skypanel.api_idempotency WHERE made_at < clock_timestamp() - interval '24 hours' ORDER BY made_at LIMIT 10000)
