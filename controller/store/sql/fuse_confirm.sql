-- Confirms the set that was shown; also wakes the controller through the change log.
WITH confirmed AS (
    UPDATE skypanel.fuse SET confirmed_at = now(), confirmed_by = session_user
    WHERE id AND tripped_at IS NOT NULL
    RETURNING doomed, doomed_count, live_count
), logged AS (
    INSERT INTO skypanel.change_log (kind, id, op)
    SELECT split_part(owner, '/', 1), split_part(owner, '/', 2)::uuid, 'U'
    FROM confirmed, jsonb_array_elements_text(confirmed.doomed) AS owner
)
SELECT doomed, doomed_count, live_count FROM confirmed
