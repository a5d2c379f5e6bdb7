-- All that reconciles have to say at their end: status, events, inventory; nothing is rewritten that says the same.
-- Returns 1 when this process leads; otherwise nothing was written.
, said AS (
    SELECT * FROM jsonb_to_recordset(%(statuses)s)
        s(kind text, id uuid, organization_id uuid, observed_generation bigint, conditions jsonb, ready bool,
             reason text, message text, details jsonb, finalized bool, handled_token text, parent_kind text, parent_id uuid), leader
), statuses AS (
    INSERT INTO skypanel.object_status AS t (kind, id, organization_id, observed_generation, conditions, ready, reason,
                                             message, details, finalized_at, epoch, handled_token,
                                             parent_kind, parent_id)
    SELECT kind, id, organization_id, observed_generation, conditions, ready, reason, message, details,
           CASE WHEN finalized THEN now() END, %(epoch)s, handled_token, parent_kind, parent_id
    FROM said
    ON CONFLICT (kind, id) DO UPDATE
    SET organization_id = coalesce(excluded.organization_id, t.organization_id),
        observed_generation = excluded.observed_generation, conditions = excluded.conditions, ready = excluded.ready,
        reason = excluded.reason, message = excluded.message, details = excluded.details,
        finalized_at = excluded.finalized_at, epoch = excluded.epoch,
        handled_token = coalesce(excluded.handled_token, t.handled_token),
        parent_kind = excluded.parent_kind, parent_id = excluded.parent_id
    WHERE (t.observed_generation, t.conditions, t.details, t.finalized_at IS NULL, t.parent_id, t.handled_token)
          IS DISTINCT FROM
          (excluded.observed_generation, excluded.conditions, excluded.details, excluded.finalized_at IS NULL,
           excluded.parent_id, coalesce(excluded.handled_token, t.handled_token))
), rest AS (
    -- Parts that were spoken of and are not any more: over, or going.
    UPDATE skypanel.object_status t
    SET conditions = r.conditions, ready = false, reason = r.reason, message = r.message, details = '{}',
        finalized_at = CASE WHEN r.finalized THEN now() END, epoch = %(epoch)s
    FROM jsonb_to_recordset(%(rest)s)
        r(kind text, id uuid, conditions jsonb, reason text, message text, finalized bool), leader
    WHERE t.parent_id = ANY(%(ended)s) AND (t.parent_kind, t.parent_id) = (r.kind, r.id) AND t.finalized_at IS NULL
      AND (r.finalized OR t.conditions <> r.conditions)
      AND (t.kind, t.id) NOT IN (SELECT kind, id FROM said)
), happened AS (
    SELECT * FROM jsonb_to_recordset(%(events)s)
        e(ordinal int, kind text, object_id uuid, organization_id uuid, type text, reason text, message text), leader
), again AS (
    -- The same thing once more within ten minutes is counted, not written again.
    UPDATE skypanel.events e
    SET count = e.count + 1, last_at = now()
    FROM happened h
    WHERE e.id = (SELECT max(id) FROM skypanel.events x WHERE (x.kind, x.object_id) = (h.kind, h.object_id))
      AND (e.type, e.reason, e.message) = (h.type, h.reason, h.message)
      AND e.last_at > now() - interval '10 minutes'
    RETURNING h.ordinal
), events AS (
    INSERT INTO skypanel.events (kind, object_id, organization_id, type, reason, message)
    SELECT kind, object_id, organization_id, type, reason, message
    FROM happened WHERE ordinal NOT IN (SELECT ordinal FROM again) ORDER BY ordinal
), learned AS (
    SELECT * FROM jsonb_to_recordset(%(inventory)s)
        i(object_type text, name text, owner_kind text, owner_id uuid, organization_id uuid, engine_id text, spec_hash text,
             failed_hash text, last_good jsonb, template_hash text, gone bool), leader
), removed AS (
    DELETE FROM skypanel.inventory i USING learned l
    WHERE l.gone AND (i.object_type, i.name, i.owner_kind, i.owner_id) = (l.object_type, l.name, l.owner_kind, l.owner_id)
), kept AS (
    -- A row that is not there is made: the object may be older than this database.
    INSERT INTO skypanel.inventory AS i (object_type, name, owner_kind, owner_id, organization_id, engine_id, spec_hash,
                                         failed_hash, last_good, template_hash, state, epoch)
    SELECT object_type, name, owner_kind, owner_id, organization_id, engine_id, spec_hash, failed_hash, last_good,
           template_hash, 'present', %(epoch)s
    FROM learned WHERE NOT gone
    ON CONFLICT (object_type, name) DO UPDATE
    SET engine_id = coalesce(excluded.engine_id, i.engine_id), spec_hash = coalesce(excluded.spec_hash, i.spec_hash),
        failed_hash = coalesce(excluded.failed_hash, i.failed_hash),
        last_good = coalesce(excluded.last_good, i.last_good),
        template_hash = coalesce(excluded.template_hash, i.template_hash), state = 'present', epoch = excluded.epoch
    WHERE (i.owner_kind, i.owner_id) = (excluded.owner_kind, excluded.owner_id)
)
SELECT count(*) FROM leader
