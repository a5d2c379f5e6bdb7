-- One consistent look at each of the keys: the document, what was made for it, what was last said of it, what an operator says.
-- All documents come as texts, which the reader decodes one by one; of one that is too large only the small members come.
SELECT k.id::text, s.organization_id::text, s.generation, s.deleted,
       CASE WHEN octet_length(s.text) <= {largest} THEN s.text
       ELSE (SELECT jsonb_object_agg(m.key, m.value)::text FROM jsonb_each(s.doc) m
             WHERE octet_length(m.value::text) <= {member}) END AS doc,
       CASE WHEN octet_length(s.text) > {largest} THEN
            (SELECT jsonb_object_agg(m.key, octet_length(m.value::text))::text FROM jsonb_each(s.doc) m
             WHERE octet_length(m.value::text) > {member}) END AS omitted,
       (SELECT coalesce(jsonb_agg(jsonb_build_object(
                'object_type', i.object_type, 'name', i.name, 'engine_id', i.engine_id, 'spec_hash', i.spec_hash,
                'failed_hash', i.failed_hash, 'last_good', i.last_good, 'state', i.state,
                'template_hash', i.template_hash)), '[]'::jsonb)::text
        FROM skypanel.inventory i WHERE i.owner_kind = {kind} AND i.owner_id = k.id) AS inventory,
       (SELECT jsonb_build_object(
                'observed_generation', t.observed_generation, 'conditions', t.conditions, 'details', t.details,
                'finalized', t.finalized_at IS NOT NULL, 'organization_id', t.organization_id,
                'handled_token', t.handled_token)::text
        FROM skypanel.object_status t WHERE t.kind = {kind} AND t.id = k.id) AS status,
       CASE WHEN EXISTS (SELECT FROM skypanel.reconcile_controls WHERE paused) THEN -- asked once: mostly there is none
       (SELECT jsonb_build_object('scope', p.scope, 'reason', p.reason, 'by', p.paused_by, 'at', p.paused_at)::text
        FROM skypanel.pause_of({kind}, k.id, coalesce(
                s.organization_id,
                (SELECT t.organization_id FROM skypanel.object_status t WHERE t.kind = {kind} AND t.id = k.id),
                (SELECT min(i.organization_id::text)::uuid FROM skypanel.inventory i
                 WHERE i.owner_kind = {kind} AND i.owner_id = k.id))) p) END AS paused,
       (SELECT c.reconcile_token FROM skypanel.reconcile_controls c
        WHERE (c.scope, c.kind, c.id) = ('object', {kind}, k.id)) AS token,
       CASE WHEN s.id IS NULL THEN -- a row without a document: something hides a part of it
       (SELECT jsonb_build_object('organization_id', o.organization_id, 'generation', o.generation, 'deleted', o.deleted)::text
        FROM skypanel.objects o WHERE o.kind = {kind} AND o.id = k.id) END AS bare,
       s.id IS NULL AND EXISTS (SELECT FROM skypanel.tombstones d WHERE d.kind = {kind} AND d.id = k.id) AS tombstone
FROM {keys} AS k(id)
LEFT JOIN LATERAL ( -- OFFSET 0: each document is made once, and its text once
    SELECT d.id, d.organization_id, d.generation, d.deleted, d.doc, d.doc::text AS text
    FROM (SELECT * FROM {snapshot} v WHERE v.id = k.id OFFSET 0) d OFFSET 0) s ON true
