-- Config vars as they are written: ciphertext, and the data key that it is under.

-- name: data_key
SELECT id::text, kek_id, wrapped FROM skypanel.data_keys WHERE organization_id = %(tenant)s

-- name: add_data_key
-- Somebody may have added one in between: that counts.
INSERT INTO skypanel.data_keys (id, organization_id, kek_id, wrapped)
VALUES (%(id)s, %(tenant)s, %(kek)s, %(wrapped)s)
ON CONFLICT ON CONSTRAINT data_keys_organization_unique DO NOTHING

-- name: listed
-- What is set for an owner, without what it is.
SELECT name, version, as_file, updated_at FROM skypanel.config_vars WHERE {owner} = %(owner)s AND deleted_at IS NULL ORDER BY name

-- name: seals
-- What tells whether a value is there already, without what it is.
SELECT v.name, v.id::text, v.version, v.as_file, v.key_id, s.head, s.digest
FROM skypanel.config_vars v CROSS JOIN LATERAL skypanel.seal_of(v.revision) s
WHERE v.{owner} = %(owner)s AND v.name = ANY (%(names)s) AND v.deleted_at IS NULL

-- name: standing
SELECT name, id::text, version, as_file FROM skypanel.config_vars
WHERE {owner} = %(owner)s AND name = ANY (%(names)s) AND deleted_at IS NULL

-- name: owned
-- Which sources declare what is set for an owner.
SELECT v.name, n.path, c.commit
FROM skypanel.source_variables v
JOIN skypanel.source_commits c ON c.source_id = v.source_id
JOIN skypanel.names n ON n.kind = %(source_kind)s AND n.id = v.source_id AND NOT n.deleted
WHERE v.owner_id = %(owner)s
ORDER BY v.name

-- name: drop
-- Those that a source declares no longer.
UPDATE skypanel.config_vars SET deleted_at = now() WHERE id = ANY (%(ids)s) AND deleted_at IS NULL

-- name: lock
-- The row is held until the transaction ends: its version is what the ciphertext is bound to.
SELECT id::text, version FROM skypanel.config_vars WHERE {owner} = %(owner)s AND name = %(name)s AND deleted_at IS NULL FOR UPDATE

-- name: add
INSERT INTO skypanel.config_vars ({owner}, id, name, ciphertext, key_id, as_file)
VALUES (%(owner)s, %(id)s, %(name)s, %(ciphertext)s, %(key_id)s, %(as_file)s)
RETURNING version

-- name: change
UPDATE skypanel.config_vars SET ciphertext = %(ciphertext)s, key_id = %(key_id)s, as_file = %(as_file)s WHERE id = %(id)s
RETURNING version

-- name: remove
UPDATE skypanel.config_vars SET deleted_at = now() WHERE {owner} = %(owner)s AND name = ANY (%(names)s) AND deleted_at IS NULL
RETURNING name

-- name: data_keys
-- Which keys data keys are under, and of how many organizations.
SELECT kek_id, count(*) FROM skypanel.data_keys GROUP BY kek_id ORDER BY kek_id

-- name: data_keys_under_others
SELECT id::text, organization_id::text, kek_id, wrapped FROM skypanel.data_keys
WHERE kek_id = ANY (%(keks)s) AND id > %(after)s ORDER BY id LIMIT 100

-- name: rewrap
-- Only what is still as it was read: of two that do it at once, one does.
UPDATE skypanel.data_keys SET kek_id = %(kek)s, wrapped = %(wrapped)s WHERE id = %(id)s AND kek_id = %(was)s
