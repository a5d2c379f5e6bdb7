-- What is declared is audited, and what operators say beside it: pauses, data keys, confirmed removals.
--
-- Triggers only: whoever reads these tables goes on, whoever writes waits for the end of this file.

DO $$
DECLARE
    declared skypanel.declared_tables;
BEGIN
    FOR declared IN SELECT * FROM skypanel.declared_tables ORDER BY name LOOP
        CALL skypanel.audit_table(declared.name, declared.kind, declared.key, declared.status || declared.derived, declared.secret);
    END LOOP;
END
$$;
CALL skypanel.audit_table('skypanel.reconcile_controls', NULL, 'id', '{scope,kind,paused_at}', '{}', 'OLD IS DISTINCT FROM NEW');
CALL skypanel.audit_table('skypanel.data_keys', NULL, 'id', '{}', '{wrapped}', 'OLD IS DISTINCT FROM NEW');

CREATE OR REPLACE FUNCTION skypanel.audit_confirmations() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
-- As audit_change, of all that one statement confirms at once: there may be ten thousand.
DECLARE
    author jsonb := skypanel.audit_author();
BEGIN
    INSERT INTO skypanel.audit_unsealed (entry)
    SELECT jsonb_strip_nulls(author || jsonb_build_object(
               'did', 'changed', 'kind', TG_TABLE_NAME, 'table', TG_TABLE_SCHEMA || '.' || TG_TABLE_NAME, 'id', n.owner_id,
               'path', p.path, 'organization', p.organization_id))
           || jsonb_build_object('changes', jsonb_build_object(
               'confirmed_at', jsonb_build_array(o.confirmed_at, n.confirmed_at), 'confirmed_by', jsonb_build_array(o.confirmed_by, n.confirmed_by)))
      FROM after n JOIN before o USING (owner_kind, owner_id)
      LEFT JOIN skypanel.names p ON p.kind = n.owner_kind AND p.id = n.owner_id
     WHERE n.confirmed_at IS NOT NULL AND o.confirmed_at IS DISTINCT FROM n.confirmed_at;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION skypanel.audit_confirmations IS 'One entry of the audit for each owner whose loss one statement confirms.';
REVOKE EXECUTE ON FUNCTION skypanel.audit_confirmations FROM PUBLIC;
CREATE OR REPLACE TRIGGER fuse_losses_confirmation_audited AFTER UPDATE ON skypanel.fuse_losses
    REFERENCING OLD TABLE AS before NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION skypanel.audit_confirmations();
