-- Webhooks of sources, as who takes deliveries asks for them: before anybody is known.

-- name: found
SELECT organization_id::text, id::text, key_id, ciphertext, data_key_id::text, kek_id, wrapped, branch, tag, commit
FROM skypanel.hook_of(%(row)s)

-- name: delivered
SELECT skypanel.hook_delivered(%(row)s, %(hook)s, %(digests)s::bytea[], %(told)s, %(wakes)s)
