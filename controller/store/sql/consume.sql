-- Takes changes off the log, with the objects that depend on them. Rows are consumed, no position is kept: a slow
-- transaction's rows are simply there once it has committed. Nobody waits for the disk: a removal that a crash takes back
-- only has the objects looked at once more. Of a few changed objects, what ``load`` gives is added.
, taken AS (
    DELETE FROM skypanel.change_log
    WHERE EXISTS (SELECT FROM leader)
      AND set_config('synchronous_commit', 'off', true) IS NOT NULL
      AND seq IN (SELECT seq FROM skypanel.change_log ORDER BY seq LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
    RETURNING kind, id, organization_id
), changed AS (
    SELECT kind, id::text, organization_id::text, false AS dependent FROM taken
    UNION
    SELECT d.dependent_kind, d.dependent_id::text, taken.organization_id::text, true
    FROM taken JOIN skypanel.dependents d ON d.kind = taken.kind AND d.id = taken.id
)
SELECT kind, dependent, (SELECT count(*) FROM taken) AS taken, id, organization_id, NULL::bigint, NULL::boolean,
       NULL::text, NULL::text, NULL::text, NULL::text, NULL::text, NULL::text, NULL::text, NULL::boolean
FROM changed
