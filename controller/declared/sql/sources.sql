-- Sources' passwords as they are written: as ciphertext.

-- name: lock
-- The row is held until the transaction ends: its version is what the ciphertext is bound to.
SELECT organization_id::text, repo_url, version FROM {table} WHERE id = %(id)s AND deleted_at IS NULL FOR UPDATE

-- name: seal
UPDATE {table} SET username = %(username)s, ciphertext = %(ciphertext)s, key_id = %(key_id)s WHERE id = %(id)s RETURNING version
