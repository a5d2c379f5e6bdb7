-- API tokens; see controller/access/token_rows.py.

-- name: listed
SELECT t.id, t.name, o.path, u.email, t.role, t.apps, t.verbs, t.made_at, t.made_by, t.expires_at, t.revoked_at, t.previous_until,
       l.used_at, l.address, now(), t.user_id
FROM skypanel.api_tokens t
LEFT JOIN skypanel.names o ON o.kind = %(tenants)s AND o.id = t.organization_id
LEFT JOIN users u ON u.id = t.user_id
LEFT JOIN skypanel.api_token_uses l ON l.token_id = t.id
WHERE (%(tenant)s = '' OR o.path = %(tenant)s)
  AND (%(all)s OR t.revoked_at IS NULL AND t.expires_at > now())
ORDER BY o.path NULLS FIRST, t.name, t.made_at

-- name: seen
-- The same for who reads no table of users: of one who is no member any more the id.
SELECT t.id, t.name, o.path, coalesce(skypanel.seen_email(t.user_id), t.user_id::text), t.role, t.apps, t.verbs, t.made_at, t.made_by, t.expires_at,
       t.revoked_at, t.previous_until, l.used_at, l.address, now(), t.user_id
FROM skypanel.api_tokens t
LEFT JOIN skypanel.names o ON o.kind = %(tenants)s AND o.id = t.organization_id
LEFT JOIN skypanel.api_token_uses l ON l.token_id = t.id
WHERE CASE WHEN %(tenant)s = '' THEN t.organization_id IS NULL ELSE o.path = %(tenant)s END AND (%(id)s = '' OR t.id = %(id)s)
  AND (%(all)s OR t.revoked_at IS NULL AND t.expires_at > now())
ORDER BY t.name, t.made_at

-- name: object
SELECT id FROM skypanel.names WHERE kind = %(kind)s AND path = %(path)s AND deleted IS NOT TRUE

-- name: user
SELECT id, skypanel.person_of(id) FROM users WHERE lower(email) = lower(%(email)s)

-- name: known
SELECT %(user)s::uuid, skypanel.person_of(%(user)s)

-- name: there
SELECT EXISTS (SELECT FROM skypanel.api_tokens WHERE id = %(id)s)

-- name: add
INSERT INTO skypanel.api_tokens (id, name, hash, user_id, organization_id, role, apps, verbs, expires_at)
VALUES (%(id)s, %(name)s, %(hash)s, %(user)s, %(tenant)s, %(role)s, %(apps)s, %(verbs)s, least(now() + %(lasts)s, %(until)s::timestamptz))
RETURNING expires_at

-- name: rotate
UPDATE skypanel.api_tokens
SET hash = %(hash)s, previous_until = least(now() + %(overlap)s, %(until)s::timestamptz),
    expires_at = least(now() + coalesce(%(lasts)s, expires_at - issued_at), %(until)s::timestamptz)
WHERE id = %(id)s
RETURNING expires_at, previous_until

-- name: revoke
UPDATE skypanel.api_tokens SET revoked_at = now() WHERE id = %(id)s AND revoked_at IS NULL RETURNING name
