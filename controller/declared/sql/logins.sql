-- Users of registries as they are written: the password as ciphertext.

-- name: lock
-- The row is held until the transaction ends: its version is what the ciphertext is bound to.
SELECT id::text, version FROM {table} WHERE organization_id = %(tenant)s AND {host} = %(host)s FOR UPDATE

-- name: add
INSERT INTO {table} (id, organization_id, {host}, username, ciphertext, key_id)
VALUES (%(id)s, %(tenant)s, %(host)s, %(username)s, %(ciphertext)s, %(key_id)s)
RETURNING version

-- name: change
UPDATE {table} SET username = %(username)s, ciphertext = %(ciphertext)s, key_id = %(key_id)s WHERE id = %(id)s
RETURNING version

-- name: remove
DELETE FROM {table} WHERE organization_id = %(tenant)s AND {host} = %(host)s

-- name: listed
-- Who asks which registry, without what he shows; how it is, where that speaks of the row as it is now.
SELECT c.{host}, c.username, c.key_id IS NOT NULL, c.version, c.updated_at, s.reason, s.message
FROM {table} c
LEFT JOIN skypanel.object_status s ON s.kind = %(kind)s AND s.id = c.id AND s.observed_generation = c.generation
WHERE c.organization_id = %(tenant)s ORDER BY c.{host}
