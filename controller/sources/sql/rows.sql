-- Sources as whoever declares them reads and writes them.

-- name: sealed
-- A source's password as ciphertext, with the data key that it is under.
SELECT organization_id::text, id::text, repo_url, username, version, revision::text, key_id, ciphertext, data_key_id::text, kek_id, wrapped
FROM skypanel.sealed_source_of(%(id)s)

-- name: identities
-- A source's age identities as ciphertext, with the data key that they are under.
SELECT organization_id::text, id::text, version, key_id, ciphertext, data_key_id::text, kek_id, wrapped
FROM skypanel.sealed_identities_of(%(id)s)

-- name: configured
-- Before the end: config vars that another source has, that are declared no longer, and that were taken back.
SELECT said, variable_id::text, owner_kind, owner_id::text, name, other FROM skypanel.source_configured(%(row)s, %(commit)s, %(variables)s)

-- name: wanted
-- Config vars that other sources declare and this one waits for.
SELECT skypanel.source_wanted(%(row)s, %(variables)s)

-- name: configured_below
-- Of some objects, those that have a config var of a source, or something below them that has.
SELECT DISTINCT n.kind, n.id::text
FROM skypanel.names n
JOIN skypanel.names m ON m.path = n.path OR starts_with(m.path, n.path || '/')
JOIN skypanel.source_variables v ON v.owner_kind = m.kind AND v.owner_id = m.id
WHERE NOT m.deleted AND n.id = ANY (%(ids)s)

-- name: seals
-- Config vars of an organization, by which it can be told whether a value is there already: read as the controller, which may.
SELECT coalesce(c.environment_id, c.app_id, c.organization_id)::text, c.name, c.id::text, c.version, c.as_file, c.key_id,
       substring(c.ciphertext FROM 1 FOR 13), sha256(c.ciphertext)
FROM skypanel.config_vars c
WHERE c.deleted_at IS NULL AND c.name = ANY (%(names)s)
  AND (c.organization_id = %(tenant)s
       OR c.app_id = ANY (ARRAY(SELECT n.id FROM skypanel.names n WHERE n.organization_id = %(tenant)s))
       OR c.environment_id = ANY (ARRAY(SELECT n.id FROM skypanel.names n WHERE n.organization_id = %(tenant)s)))

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
