-- What the controller keeps of its objects.

-- name: documents
-- The documents that render reads, of some objects of one kind.
SELECT id, organization_id, generation, deleted, doc FROM {view} WHERE id = ANY (%(ids)s)

-- name: events
SELECT type, reason, message, count, first_at, last_at
FROM skypanel.events
WHERE kind = %(kind)s AND object_id = %(id)s
ORDER BY id DESC
LIMIT %(limit)s

-- name: inventory
SELECT owner_kind, owner_id, object_type, name, engine_id, spec_hash, failed_hash, last_good, state,
       template_hash
FROM skypanel.inventory
WHERE owner_id = ANY (%(ids)s)
ORDER BY object_type, name

-- name: subnets
SELECT organization_id, subnet::text FROM skypanel.subnets WHERE organization_id = ANY (%(ids)s)

-- name: quotas
SELECT quota, used, allowed FROM skypanel.quotas WHERE organization_id = %(tenant)s

-- name: sizes
-- With every size of a tenant: what a change of one costs is told of the whole.
SELECT n.path, s.plan, s.price_hourly, s.price_monthly, s.tasks, s.suspended
FROM skypanel.sizes s
JOIN skypanel.names n ON n.kind = s.kind AND n.id = s.id
WHERE s.organization_id IN (SELECT id FROM skypanel.names WHERE kind = %(tenant_kind)s AND path = ANY (%(tenants)s))
   OR s.organization_id IN (SELECT organization_id FROM skypanel.sizes WHERE plan_id = ANY (%(shared)s))
ORDER BY n.path

-- name: releases
-- The last releases of an object, and who made them, as far as that is on record.
SELECT r.created_at, r.version, j.said ->> 'made_by', j.said ->> 'reason', j.said ->> 'source_commit'
FROM public.paas_releases r
CROSS JOIN LATERAL (SELECT to_jsonb(r) AS said) j
WHERE r.environment_id = %(id)s
ORDER BY r.version DESC
LIMIT %(limit)s

-- name: leader
-- The last leader, and whether it vouches for what it said.
SELECT holder, epoch, renewed_at, engine_seen_at, alive, reaches_engine FROM skypanel.leader

-- name: pause
-- The widest pause that holds an object.
SELECT scope, reason, paused_by, paused_at FROM skypanel.pause_of(%(kind)s, %(id)s, %(tenant)s)

-- name: deployed
-- Of some objects: the release that all tasks ran first of late.
SELECT DISTINCT ON (environment_id) environment_id, version
FROM public.paas_releases
WHERE environment_id = ANY (%(ids)s) AND deployed_at IS NOT NULL
ORDER BY environment_id, deployed_at DESC, version DESC

-- name: owners
-- The sources that declare objects of one kind, at which commit, and which fields.
SELECT o.id, n.path, c.commit, o.fields
FROM skypanel.source_objects o
JOIN skypanel.source_commits c ON c.source_id = o.source_id
JOIN skypanel.names n ON n.kind = %(source_kind)s AND n.id = o.source_id AND NOT n.deleted
WHERE o.kind = %(kind)s AND o.id = ANY (%(ids)s)
