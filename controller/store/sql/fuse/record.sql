-- What waits for a confirmation, as it is now: all of it. A confirmation holds for no more than was shown.
, waiting AS (
    SELECT kind, id::uuid, why, objects::int, processes::int, hosts::int
    FROM ROWS FROM (json_array_elements_text(%(waiting)s -> 0), json_array_elements_text(%(waiting)s -> 1),
                    json_array_elements_text(%(waiting)s -> 2), json_array_elements_text(%(waiting)s -> 3),
                    json_array_elements_text(%(waiting)s -> 4), json_array_elements_text(%(waiting)s -> 5))
        AS w(kind, id, why, objects, processes, hosts)
    WHERE EXISTS (SELECT FROM leader)
), over AS (
    DELETE FROM skypanel.fuse_losses f
    WHERE EXISTS (SELECT FROM leader)
      AND NOT EXISTS (SELECT FROM waiting w WHERE w.kind = f.owner_kind AND w.id = f.owner_id)
), kept AS (
    INSERT INTO skypanel.fuse_losses AS f (owner_kind, owner_id, why, objects, processes, hosts)
    SELECT * FROM waiting
    ON CONFLICT (owner_kind, owner_id) DO UPDATE
    SET why = excluded.why, objects = excluded.objects, processes = excluded.processes, hosts = excluded.hosts,
        confirmed_at = CASE WHEN excluded.objects <= f.objects AND excluded.processes <= f.processes
                             AND excluded.hosts <= f.hosts THEN f.confirmed_at END
    WHERE (f.why, f.objects, f.processes, f.hosts)
          IS DISTINCT FROM (excluded.why, excluded.objects, excluded.processes, excluded.hosts)
), latch AS (
    INSERT INTO skypanel.fuse AS f (id, tripped_at, live_count)
    SELECT true, CASE WHEN %(tripped)s THEN now() END, %(live)s FROM leader
    ON CONFLICT (id) DO UPDATE
    SET tripped_at = CASE WHEN %(tripped)s THEN coalesce(f.tripped_at, now()) END, live_count = excluded.live_count
    WHERE (f.tripped_at IS NOT NULL) IS DISTINCT FROM %(tripped)s OR f.live_count IS DISTINCT FROM excluded.live_count
)
SELECT count(*) FROM leader
