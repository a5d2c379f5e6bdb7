-- The audit names a user by his id and his address (docs/access.md): all of both, and the panel's form of it has the id.
--
-- No table is locked in this file.

CREATE OR REPLACE FUNCTION skypanel.audit_author() RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    actor    text := nullif(current_setting('skypanel.actor', true), '');
    means    text := nullif(current_setting('skypanel.means', true), '');
    address  text := nullif(current_setting('skypanel.address', true), '');
    request  text := nullif(current_setting('skypanel.request', true), '');
    reason   text := nullif(current_setting('skypanel.reason', true), '');
    commit   text := nullif(current_setting('skypanel.commit', true), '');
    said     jsonb;
    believed boolean := means IS NOT NULL AND (coalesce(pg_has_role(session_user, to_regrole('skypanel_interface'), 'USAGE'), false)
                                               OR coalesce(pg_has_role(session_user, to_regrole('skypanel_api'), 'USAGE'), false));
BEGIN
    IF coalesce(actor, means, address, request, reason, commit) IS NOT NULL THEN
        said := skypanel.audited_value(jsonb_strip_nulls(jsonb_build_object(
            'actor', left(actor, 255), 'means', left(means, 255), 'address', left(address, 255), 'request', left(request, 255),
            'reason', left(reason, 1024), 'commit', left(commit, 255))));
    END IF;
    RETURN jsonb_build_object(
        'at', to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'transaction', pg_current_xact_id()::text::bigint,
        'actor', CASE WHEN believed AND said ? 'actor' THEN said ->> 'actor' ELSE session_user::text END, -- else it is a name, and cut off at 63 bytes
        'means', CASE WHEN believed THEN said ->> 'means' ELSE 'sql' END,
        'session_user', session_user,
        'role', nullif(nullif(current_setting('role', true), 'none'), session_user::text),
        'address', CASE WHEN believed AND said ? 'address' THEN said ->> 'address' ELSE host(inet_client_addr()) END,
        'said', said);
END
$$;

CREATE OR REPLACE VIEW skypanel.activity AS
    SELECT md5('skypanel.audit ' || a.position)::uuid AS id,
           a.who AS user_id, a.organization_id,
           left(CASE WHEN a.entry ->> 'table' LIKE '%.caas\_%' THEN 'caas.' ELSE 'paas.' END || a.kind || '.' || coalesce(a.entry ->> 'tried', a.did), 100)::varchar(100) AS event_type,
           CASE WHEN a.who IS NOT NULL THEN left(a.kind, 100) ELSE 'system' END::varchar(100) AS entity_type,
           left(coalesce(a.object_id, a.path), 255)::varchar(255) AS entity_id,
           concat_ws(' ', coalesce(a.entry ->> 'tried', a.did), a.kind, a.path) || coalesce(': ' || a.message,
               CASE WHEN a.did = 'changed' THEN ': ' || (SELECT string_agg(k, ', ' ORDER BY k) FROM jsonb_object_keys(a.changes) k) END, '') AS message,
           CASE WHEN a.did = 'refused' THEN 'error' ELSE 'success' END::varchar(50) AS status, left(a.address, 64)::varchar(64) AS ip_address,
           NULL::text AS user_agent, a.entry AS metadata, false AS is_read, NULL::timestamptz AS read_at, a.at AS created_at
      FROM (SELECT f.*, substring(f.actor FROM '^([0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})(?: .*)?$')::uuid AS who FROM skypanel.audit f) a
     WHERE a.position IS NOT NULL AND a.did <> 'pruned';
COMMENT ON VIEW skypanel.activity IS
    'What is sealed of the audit, in the form of the panel''s activity_logs. user_id: of an actor that is a user''s id, or begins with it; of others entity_type is system, as the panel wants it.';
