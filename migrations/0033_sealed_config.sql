-- What the controller opens: the ciphertext of all that is set for an environment.

CREATE OR REPLACE FUNCTION skypanel.sealed_config_of(p_environment uuid, p_largest bigint)
RETURNS TABLE (organization_id uuid, digest text, id uuid, name text, layer text, owner_id uuid, version integer, as_file boolean,
               key_id text, ciphertext bytea, data_key_id uuid, kek_id text, wrapped bytea)
LANGUAGE sql STABLE ROWS 20
BEGIN ATOMIC
    SELECT s.organization_id, s.doc -> 'config'::text ->> 'digest'::text, c.id, v.name, v.layer,
           coalesce(c.organization_id, c.app_id, c.environment_id), v.version, v.as_file, c.key_id,
           CASE WHEN sum(octet_length(c.ciphertext)) OVER () <= p_largest THEN c.ciphertext END, k.id, k.kek_id, k.wrapped
      FROM (SELECT e.* FROM skypanel.snapshot_environment e WHERE e.id = p_environment OFFSET 0) s
     CROSS JOIN LATERAL skypanel.config_of(s.organization_id, (s.doc -> 'app'::text ->> 'id'::text)::uuid, s.id) v
      JOIN skypanel.config_vars c ON c.id = v.id
      LEFT JOIN skypanel.data_keys k ON k.organization_id = s.organization_id
     ORDER BY CASE WHEN sum(octet_length(c.ciphertext)) OVER () > p_largest THEN octet_length(c.ciphertext) END DESC,
              v.name COLLATE "C";
END;
COMMENT ON FUNCTION skypanel.sealed_config_of IS
    'The config vars that count for an environment, with the digest that its document has at the same moment. Of more than so many octets no ciphertext comes, and the largest come first.';
REVOKE EXECUTE ON FUNCTION skypanel.sealed_config_of FROM PUBLIC;
