, cleared AS (
    UPDATE skypanel.fuse SET tripped_at = NULL, doomed = '[]', doomed_count = 0, live_count = 0, confirmed_at = NULL, confirmed_by = NULL
    WHERE id AND EXISTS (SELECT FROM leader)
)
SELECT count(*) FROM leader
