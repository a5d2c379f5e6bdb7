-- What an operator says to the controller, and what became of it.

-- name: pause
-- Stops the work on an object, an organization or everything; what is stopped already gets the new reason, and who says it.
INSERT INTO skypanel.reconcile_controls (scope, kind, id, paused, paused_reason, paused_by)
VALUES (%(scope)s, coalesce(%(kind)s, ''), coalesce(%(id)s, '00000000-0000-0000-0000-000000000000')::uuid, true, %(reason)s,
        coalesce(nullif(current_setting('skypanel.actor', true), ''), current_user))
ON CONFLICT (scope, kind, id) DO UPDATE SET paused = true, paused_reason = excluded.paused_reason, paused_by = excluded.paused_by

-- name: resume
-- Lets the work go on; gives a row when it was stopped.
UPDATE skypanel.reconcile_controls SET paused = false
WHERE (scope, kind, id) = (%(scope)s, coalesce(%(kind)s, ''), coalesce(%(id)s, '00000000-0000-0000-0000-000000000000')::uuid)
  AND paused
RETURNING 1

-- name: ask
-- Asks for a look at an object now.
INSERT INTO skypanel.reconcile_controls (scope, kind, id, reconcile_token) VALUES ('object', %(kind)s, %(id)s, %(token)s)
ON CONFLICT (scope, kind, id) DO UPDATE SET reconcile_token = excluded.reconcile_token

-- name: pauses
-- Every pause, the widest first.
SELECT scope, kind, id, paused_reason, paused_by, paused_at
FROM skypanel.reconcile_controls
WHERE paused
ORDER BY scope <> 'installation', scope = 'object', paused_at

-- name: names
-- Paths of what is paused, as far as it has one.
SELECT n.id, n.path
FROM skypanel.reconcile_controls c
JOIN skypanel.names n ON n.kind = c.kind AND n.id = c.id
WHERE c.paused

-- name: handled
-- What became of a request to look now: whether it was handled, and how the object is.
SELECT s.handled_token = %(token)s, s.reason, s.message, s.finalized_at IS NOT NULL
FROM skypanel.object_status s
WHERE s.kind = %(kind)s AND s.id = %(id)s
