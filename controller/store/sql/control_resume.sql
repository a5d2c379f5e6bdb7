-- Lets the work go on; gives a row when it was stopped.
UPDATE skypanel.reconcile_controls SET paused = false
WHERE (scope, kind, id) = (%(scope)s, coalesce(%(kind)s, ''), coalesce(%(id)s, '00000000-0000-0000-0000-000000000000')::uuid)
  AND paused
RETURNING 1
