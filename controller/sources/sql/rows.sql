-- Sources as whoever declares them reads and writes them.

-- name: sealed
-- A source's password as ciphertext, with the data key that it is under.
SELECT organization_id::text, id::text, repo_url, username, version, revision::text, key_id, ciphertext, data_key_id::text, kek_id, wrapped
FROM skypanel.sealed_source_of(%(id)s)

-- name: applied
-- Ends the transaction: a row for each reason not to commit it, for each object that the source declares no longer, and for what it took back.
SELECT said, object_kind, object_id::text, other
FROM skypanel.source_applied(%(lease)s, %(holder)s, %(epoch)s, %(row)s, %(generation)s, %(commit)s, %(files)s, %(objects)s)

-- name: claimed
-- Objects that other sources declare and this one waits for.
SELECT skypanel.source_claimed(%(row)s, %(objects)s)

-- name: held
-- What a source has declared before, and whether what it declares no longer goes.
SELECT o.kind, o.id, o.path, o.fields, s.prune FROM skypanel.source_objects o JOIN {table} s ON s.id = o.source_id WHERE o.source_id = %(row)s
