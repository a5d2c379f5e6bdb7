-- The write-ahead intent: what is about to be made or removed, and for whom. Returns 1 when this process leads, and what
-- was not written: a thing beyond the Swarm that is on record for another owner stays that owner's.
-- Nobody waits for the disk: see docs/adr/0008. What is known of a name is known of its owner's object: another owner
-- that takes the name over begins with nothing, or it would take the other's object for its own.
, wanted AS (
    SELECT * FROM jsonb_to_recordset(%(intents)s::jsonb)
        AS w(object_type text, name text, owner_kind text, owner_id uuid, organization_id uuid, state text)
    WHERE EXISTS (SELECT FROM leader) AND set_config('synchronous_commit', 'off', true) IS NOT NULL
), written AS (
    INSERT INTO skypanel.inventory AS i (object_type, name, owner_kind, owner_id, organization_id, state, epoch)
    SELECT object_type, name, owner_kind, owner_id, organization_id, state, %(epoch)s FROM wanted
    ON CONFLICT (object_type, name) DO UPDATE
    SET owner_kind = excluded.owner_kind, owner_id = excluded.owner_id, organization_id = excluded.organization_id,
        state = excluded.state, epoch = excluded.epoch, updated_at = now(),
        engine_id   = CASE WHEN (i.owner_kind, i.owner_id) = (excluded.owner_kind, excluded.owner_id) THEN i.engine_id END,
        spec_hash   = CASE WHEN (i.owner_kind, i.owner_id) = (excluded.owner_kind, excluded.owner_id) THEN i.spec_hash END,
        failed_hash = CASE WHEN (i.owner_kind, i.owner_id) = (excluded.owner_kind, excluded.owner_id) THEN i.failed_hash END,
        last_good   = CASE WHEN (i.owner_kind, i.owner_id) = (excluded.owner_kind, excluded.owner_id) THEN i.last_good END,
        template_hash = CASE WHEN (i.owner_kind, i.owner_id) = (excluded.owner_kind, excluded.owner_id) THEN i.template_hash END
    WHERE position('/' IN i.object_type) = 0 OR (i.owner_kind, i.owner_id) = (excluded.owner_kind, excluded.owner_id)
    RETURNING i.object_type, i.name
)
SELECT count(*), ARRAY(SELECT w.object_type || ' ' || w.name FROM wanted w
                       WHERE NOT EXISTS (SELECT FROM written i WHERE (i.object_type, i.name) = (w.object_type, w.name)))
FROM leader
