-- Role bindings; see controller/access/binding_rows.py.

-- name: listed
SELECT b.name, o.path, b.issuer, b.claims, b.role, b.apps, b.verbs, b.made_at, b.made_by, b.expires_at
FROM skypanel.role_bindings b
LEFT JOIN skypanel.names o ON o.kind = %(tenants)s AND o.id = b.organization_id
WHERE CASE WHEN %(tenant)s = '' THEN %(all)s OR b.organization_id IS NULL ELSE o.path = %(tenant)s END AND (%(name)s = '' OR b.name = %(name)s)
ORDER BY o.path NULLS FIRST, b.name

-- name: add
INSERT INTO skypanel.role_bindings (name, organization_id, issuer, claims, role, apps, verbs, expires_at)
VALUES (%(name)s, %(tenant)s, %(issuer)s, %(claims)s, %(role)s, %(apps)s, %(verbs)s, %(until)s)

-- name: remove
DELETE FROM skypanel.role_bindings WHERE name = %(name)s AND organization_id IS NOT DISTINCT FROM %(tenant)s
