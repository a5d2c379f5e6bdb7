-- Takes off the log what the last look gave, and looks what else is there, with the objects that depend on it. No position
-- is kept: a slow transaction's rows are simply there once it has committed. Nobody waits for the disk: a removal that a crash
-- takes back only has the objects looked at once more. Of a few changed objects, what ``load`` gives is added.
, gone AS (
    DELETE FROM skypanel.change_log
    WHERE seq = ANY(%(given)s::bigint[]) AND EXISTS (SELECT FROM leader)
      AND (SELECT set_config('synchronous_commit', 'off', true)) IS NOT NULL
), taken AS (
    SELECT seq, kind, id, organization_id
    FROM skypanel.change_log
    WHERE EXISTS (SELECT FROM leader) AND seq >= %(since)s AND seq NOT IN (SELECT unnest(%(given)s::bigint[]))
    ORDER BY seq LIMIT %(limit)s
), changed AS (
    SELECT kind, id::text, organization_id::text, false AS dependent, array_agg(seq) AS numbers
    FROM taken GROUP BY kind, id, organization_id
    UNION ALL
    SELECT DISTINCT d.dependent_kind, d.dependent_id::text, taken.organization_id::text, true, NULL::bigint[]
    FROM taken JOIN skypanel.dependents d ON d.kind = taken.kind AND d.id = taken.id
)
SELECT kind, dependent, numbers, id, organization_id, NULL::bigint, NULL::boolean,
       NULL::text, NULL::text, NULL::text, NULL::text, NULL::text, NULL::text, NULL::text, NULL::boolean
FROM changed
