-- Truth: a status ends with what it speaks of.

ALTER TABLE skypanel.object_status ADD COLUMN IF NOT EXISTS parent_kind text;
ALTER TABLE skypanel.object_status ADD COLUMN IF NOT EXISTS parent_id uuid;
COMMENT ON COLUMN skypanel.object_status.parent_kind IS 'Of a part: the kind of the object that speaks of it.';
COMMENT ON COLUMN skypanel.object_status.parent_id IS 'Of a part: the id of the object that speaks of it, and whose report ends what it does not name any more.';
CREATE INDEX IF NOT EXISTS object_status_parent ON skypanel.object_status (parent_kind, parent_id) WHERE parent_id IS NOT NULL;

-- Parts that were spoken of before there was a parent; without a row they are nobody's, and retention takes them away.
UPDATE skypanel.object_status s SET parent_kind = 'environment', parent_id = p.environment_id
  FROM (SELECT 'process' AS kind, id, environment_id FROM public.paas_processes
        UNION ALL SELECT 'domain', id, environment_id FROM public.paas_domains) p
 WHERE s.parent_id IS NULL AND (s.kind, s.id) = (p.kind, p.id);
UPDATE skypanel.object_status s
   SET conditions = p.conditions, ready = false, reason = p.reason, message = p.message, details = '{}', finalized_at = p.finalized_at
  FROM skypanel.object_status p
 WHERE (p.kind, p.id) = (s.parent_kind, s.parent_id) AND p.finalized_at IS NOT NULL AND s.finalized_at IS NULL;
UPDATE skypanel.object_status s
   SET conditions = '[{"type": "Ready", "status": "False", "reason": "Deleted", "message": "its row is gone"}]', ready = false,
       reason = 'Deleted', message = 'its row is gone', details = '{}', finalized_at = now()
 WHERE s.kind IN ('process', 'domain') AND s.parent_id IS NULL AND s.finalized_at IS NULL;

-- The lock of the address plan is that of its table, here too.

CREATE OR REPLACE FUNCTION skypanel.adopt_subnet(p_organization uuid, p_subnet cidr, p_instead_of uuid) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    holder text;
BEGIN
    IF EXISTS (SELECT FROM skypanel.subnets WHERE organization_id = p_organization AND subnet = p_subnet) THEN
        RETURN NULL;
    END IF;
    LOCK TABLE skypanel.subnets IN SHARE ROW EXCLUSIVE MODE;
    SELECT coalesce('organization ' || organization_id, state || coalesce(': ' || reason, '')) INTO holder
      FROM skypanel.subnets
     WHERE subnet && p_subnet AND state <> 'quarantined' AND organization_id IS DISTINCT FROM p_organization
       AND (p_instead_of IS NULL OR organization_id IS DISTINCT FROM p_instead_of)
     ORDER BY subnet LIMIT 1;
    IF FOUND THEN
        RETURN holder;
    END IF;
    UPDATE skypanel.subnets
       SET state = 'quarantined', organization_id = NULL, released_at = clock_timestamp(), reason = 'the live network has another'
     WHERE organization_id = p_organization;
    DELETE FROM skypanel.subnets WHERE subnet && p_subnet; -- quarantined ones, its own, that of p_instead_of
    INSERT INTO skypanel.subnets (subnet, organization_id, state) VALUES (p_subnet, p_organization, 'allocated');
    RETURN NULL;
END
$$;
