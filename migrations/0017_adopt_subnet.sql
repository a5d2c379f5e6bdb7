-- A live network keeps its addresses, whatever the address plan says: the plan is corrected, not the network.

CREATE OR REPLACE FUNCTION skypanel.adopt_subnet(p_organization uuid, p_subnet cidr, p_instead_of uuid) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    holder text;
BEGIN
    IF EXISTS (SELECT FROM skypanel.subnets WHERE organization_id = p_organization AND subnet = p_subnet) THEN
        RETURN NULL;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('skypanel.subnets', 0));
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
COMMENT ON FUNCTION skypanel.adopt_subnet IS
    'Gives the organization the subnet that its live network has, also out of quarantine. Nothing changes when another organization''s subnet or a reserved one overlaps it: then the answer says whose. Only the row of p_instead_of, whose live network has other addresses, gives way.';
