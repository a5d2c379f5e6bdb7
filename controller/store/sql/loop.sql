-- What the loop asks in a line or two; longer statements have files of their own in loop/.

-- name: consume_keys
(SELECT DISTINCT t.id FROM taken t WHERE t.kind = {kind} AND (SELECT count(*) FROM taken) <= {limit})

-- name: consume_load
UNION ALL
SELECT {kind}, NULL, NULL, l.* FROM ({load}) l

-- name: index
-- Every wanted object but those whose removal is done and noted, and what was last said of it; the resync compares this with the live view.
SELECT o.kind, o.id::text, o.organization_id::text, o.generation, o.deleted,
       coalesce(s.ready AND s.observed_generation = o.generation, false) AS ready, s.finalized_at IS NOT NULL AS finalized,
       c.reconcile_token IS NOT NULL AND c.reconcile_token IS DISTINCT FROM s.handled_token AS asked
FROM skypanel.present o
LEFT JOIN skypanel.object_status s ON s.kind = o.kind AND s.id = o.id
LEFT JOIN skypanel.reconcile_controls c ON c.scope = 'object' AND c.kind = o.kind AND c.id = o.id

-- name: leftovers
-- Owners of something that we made, keep or have not finished with, whose rows are gone: remove it, give it back, say so.
SELECT DISTINCT k.kind, k.id::text
FROM (SELECT owner_kind AS kind, owner_id AS id FROM skypanel.inventory
      UNION ALL
      SELECT kind, id FROM skypanel.kept
      UNION ALL
      SELECT kind, id FROM skypanel.object_status WHERE finalized_at IS NULL AND kind = ANY(%(kinds)s)) AS k
WHERE NOT EXISTS (SELECT FROM skypanel.objects o WHERE o.kind = k.kind AND o.id = k.id)

-- name: dependents
SELECT d.dependent_kind, d.dependent_id::text
FROM skypanel.dependents d
WHERE d.kind = %(kind)s AND d.id = %(id)s

-- name: config_values
-- What is set for an environment, as ciphertext.
SELECT organization_id::text, digest, id::text, name, layer, owner_id::text, version, as_file, key_id, ciphertext, data_key_id::text, kek_id, wrapped
FROM skypanel.sealed_config_of(%(id)s, %(largest)s)

-- name: sealed_login
-- A user of a registry, with his password as ciphertext.
SELECT organization_id::text, id::text, registry, username, version, revision::text, key_id, ciphertext, data_key_id::text, kek_id, wrapped
FROM skypanel.sealed_registry_of(%(id)s)

-- name: image_reports
-- Vulnerability reports by all that their content is called.
SELECT digest, digests, scanner, scanned_at, found, fixable
FROM public.caas_image_reports WHERE digests && %(digests)s::text[] ORDER BY digest = ANY (%(digests)s::text[]) DESC, scanned_at DESC, digest LIMIT 64

-- name: release_values
-- What a release of an environment has, as ciphertext.
SELECT organization_id::text, digest, id::text, name, layer, owner_id::text, version, as_file, key_id, ciphertext, data_key_id::text, kek_id, wrapped
FROM skypanel.sealed_release_of(%(id)s, %(digest)s, %(largest)s)

-- name: pauses
-- How many pauses there are of each scope.
SELECT scope, count(*) FROM skypanel.reconcile_controls WHERE paused GROUP BY scope

-- name: prune
-- One piece of what is old. No row: this process does not lead.
SELECT CASE WHEN %(what)s IN ('releases', 'config_history') THEN skypanel.prune_releases(%(what)s, %(days)s, %(most)s)
            WHEN %(what)s = 'image_reports' THEN skypanel.prune_image_reports(%(days)s, %(most)s)
            WHEN %(what)s = 'audit' THEN skypanel.prune_audit(%(days)s, %(most)s)
            WHEN %(what)s = 'ended' THEN skypanel.prune_ended(%(days)s, %(most)s)
            WHEN %(what)s = 'stream' THEN skypanel.prune_stream(%(most)s)
            ELSE skypanel.prune(%(what)s, %(days)s, %(most)s) END
FROM leader

-- name: seal_audit
-- So many entries of the audit get their place in its chain. Whoever leads: the row that they are sealed by is locked.
SELECT skypanel.seal_audit(%(most)s)

-- name: make_releases
-- For each: the version of the newest release, or of a new one; NULL when it is out of date. No row: this process does not lead.
SELECT place, skypanel.make_release(id, generation, digest, config_digest, image, settings, processes, resolved, %(most)s)
FROM jsonb_to_recordset(%(releases)s)
     r(place int, id uuid, generation bigint, digest text, config_digest text, image text, settings jsonb, processes jsonb, resolved jsonb), leader

-- name: release_deployed
-- All tasks run it. No row: this process does not lead.
SELECT skypanel.release_deployed(%(id)s, %(version)s) FROM leader

-- name: release_command_begins
-- Whether the command of a release is to be run now. No row: this process does not lead.
SELECT skypanel.release_command_begins(%(id)s, %(version)s, %(tries)s) FROM leader

-- name: release_command_ended
-- The command of a release has ended. No row: this process does not lead.
SELECT skypanel.release_command_ended(%(id)s, %(version)s, %(tries)s, %(exit_code)s, %(failure)s) FROM leader

-- name: release_command_again
-- The command of a release may be run once more. No row: this process does not lead.
SELECT skypanel.release_command_again(%(id)s, %(version)s, %(tries)s) FROM leader

-- name: write_rows
-- Rows of a table that a kind declared. No row comes back: this process does not lead.
INSERT INTO {table} AS t ({columns})
SELECT {columns} FROM jsonb_populate_recordset(NULL::{table}, %(rows)s), leader, set_config('lock_timeout', '250', true)
ON CONFLICT ({where}) DO UPDATE SET {changes}
RETURNING 1
