-- Sources' passwords as they are written: as ciphertext.

-- name: lock
-- The row is held until the transaction ends: its version is what the ciphertext is bound to.
SELECT organization_id::text, repo_url, version FROM {table} WHERE id = %(id)s AND deleted_at IS NULL FOR UPDATE

-- name: lock_identities
SELECT organization_id::text, identities_version FROM {table} WHERE id = %(id)s AND deleted_at IS NULL FOR UPDATE

-- name: seal_identities
UPDATE {table} SET identities = %(ciphertext)s, identities_key_id = %(key_id)s WHERE id = %(id)s RETURNING identities_version

-- name: seal
UPDATE {table} SET username = %(username)s, ciphertext = %(ciphertext)s, key_id = %(key_id)s WHERE id = %(id)s RETURNING version

-- name: hooks
-- The secrets of a source's webhook that count now, without what they are.
SELECT id::text, good_until FROM skypanel.source_hooks WHERE source_id = %(id)s AND (good_until IS NULL OR good_until > now())

-- name: add_hook
INSERT INTO skypanel.source_hooks (id, source_id, key_id, ciphertext) VALUES (%(hook)s, %(id)s, %(key_id)s, %(ciphertext)s)

-- name: forget_hooks
-- Those before the present one.
DELETE FROM skypanel.source_hooks WHERE source_id = %(id)s AND good_until IS NOT NULL

-- name: end_hook
-- The present one counts for a while yet.
UPDATE skypanel.source_hooks SET good_until = now() + %(overlap)s WHERE source_id = %(id)s AND good_until IS NULL RETURNING good_until

-- name: remove_hooks
DELETE FROM skypanel.source_hooks WHERE source_id = %(id)s

-- name: add_forge
INSERT INTO skypanel.source_forges (id, source_id, forge, api, key_id, ciphertext)
VALUES (%(forge_id)s, %(id)s, %(forge)s, %(api)s, %(key_id)s, %(ciphertext)s)

-- name: remove_forge
DELETE FROM skypanel.source_forges WHERE source_id = %(id)s

-- name: needs
-- How many sources need git, ssh-keygen, gpg and ssh.
SELECT count(*) FILTER (WHERE repo_url IS NOT NULL), count(*) FILTER (WHERE verify ? 'ssh'), count(*) FILTER (WHERE verify ? 'openpgp'),
       count(*) FILTER (WHERE repo_url IS NOT NULL AND repo_url !~ '^https?://')
FROM {table}
WHERE deleted_at IS NULL AND NOT suspended
