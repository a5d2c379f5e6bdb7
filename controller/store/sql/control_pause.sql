-- Stops the work on an object, an organization or everything; what is stopped already gets the new reason.
INSERT INTO skypanel.reconcile_controls (scope, kind, id, paused, paused_reason)
VALUES (%(scope)s, coalesce(%(kind)s, ''), coalesce(%(id)s, '00000000-0000-0000-0000-000000000000')::uuid, true, %(reason)s)
ON CONFLICT (scope, kind, id) DO UPDATE SET paused = true, paused_reason = excluded.paused_reason
