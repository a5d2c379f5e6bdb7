-- Confirms owners as they were shown, and nothing that came since; wakes the controller through the change log, the fuse first.
WITH confirmed AS (
    UPDATE skypanel.fuse_losses f SET confirmed_at = now(), confirmed_by = session_user
    FROM unnest(%(kinds)s::text[], %(ids)s::uuid[], %(objects)s::int[], %(processes)s::int[], %(hosts)s::int[])
        AS s(kind, id, objects, processes, hosts)
    WHERE f.owner_kind = s.kind AND f.owner_id = s.id AND f.confirmed_at IS NULL
      AND f.objects <= s.objects AND f.processes <= s.processes AND f.hosts <= s.hosts
    RETURNING f.owner_kind, f.owner_id
), logged AS (
    INSERT INTO skypanel.change_log (kind, id, op)
    SELECT 'fuse', '00000000-0000-0000-0000-000000000000'::uuid, 'U' WHERE EXISTS (SELECT FROM confirmed)
    UNION ALL
    SELECT owner_kind, owner_id, 'U' FROM confirmed
)
SELECT count(*) FROM confirmed
