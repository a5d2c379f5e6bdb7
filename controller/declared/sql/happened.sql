-- Events of many objects.

-- name: listed
SELECT e.id, e.kind, e.object_id, coalesce(n.path, ''), e.type, e.reason, e.message, e.count, e.first_at, e.last_at
FROM skypanel.events e
LEFT JOIN skypanel.names n ON n.kind = e.kind AND n.id = e.object_id
WHERE (%(tenant)s::uuid IS NULL OR e.organization_id = %(tenant)s)
  AND (%(kind)s::text IS NULL OR e.kind = %(kind)s)
  AND (%(before)s::bigint IS NULL OR e.id < %(before)s)
  AND (%(path)s::text IS NULL OR n.path = %(path)s OR starts_with(n.path, %(path)s || '/'))
ORDER BY e.id DESC
LIMIT %(most)s

-- name: these
SELECT e.id, e.kind, e.object_id, coalesce(n.path, ''), e.type, e.reason, e.message, e.count, e.first_at, e.last_at
FROM skypanel.events e
LEFT JOIN skypanel.names n ON n.kind = e.kind AND n.id = e.object_id
WHERE e.id = ANY (%(ids)s)
ORDER BY e.id
