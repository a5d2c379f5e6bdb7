-- What is to be said of commits to forges, and what was.

-- name: due
-- What a source's status says of the commit that it is at, where that is another state than was said, or another sentence than ten
-- minutes ago. What could not be said comes again later each time.
SELECT f.source_id::text, f.organization_id::text, f.id::text, f.forge, f.api, f.key_id, f.ciphertext, k.id::text, k.kek_id, k.wrapped, s.repo_url, n.path,
       w.commit, w.ready, w.stalled, w.sentence
FROM skypanel.source_forges f
JOIN {table} s ON s.id = f.source_id AND s.deleted_at IS NULL AND s.repo_url IS NOT NULL
JOIN skypanel.object_status o ON o.kind = %(kind)s AND o.id = s.id AND o.observed_generation = s.generation
JOIN skypanel.names n ON n.kind = %(kind)s AND n.id = s.id
LEFT JOIN skypanel.data_keys k ON k.organization_id = f.organization_id
LEFT JOIN skypanel.source_statuses t ON t.source_id = s.id
CROSS JOIN LATERAL (
    SELECT o.details ->> 'commit' AS commit, coalesce(o.ready, false) AS ready, left(coalesce(o.message, ''), 1024) AS sentence,
           EXISTS (SELECT FROM jsonb_array_elements(o.conditions) c WHERE c ->> 'type' = %(stalled)s AND c ->> 'status' = 'True') AS stalled
) w
WHERE w.commit ~ '^([0-9a-f]{40}|[0-9a-f]{64})$'
  AND CASE
      WHEN t.source_id IS NULL
           OR (t.commit, t.state, t.forge_id) IS DISTINCT FROM (w.commit, CASE WHEN w.ready THEN 'success' WHEN w.stalled THEN 'failure' ELSE 'pending' END, f.id)
      THEN true
      WHEN t.problem <> '' THEN t.attempts < %(attempts)s AND t.at < now() - least(interval '15 seconds' * 2 ^ t.attempts, interval '1 hour')
      ELSE t.sentence <> w.sentence AND t.at < now() - interval '10 minutes' END
ORDER BY coalesce(t.at, '-infinity')
LIMIT 20

-- name: said
, before AS (
    SELECT t.problem, t.attempts, (t.commit, t.state, t.forge_id) IS NOT DISTINCT FROM (%(commit)s::text, %(state)s::text, %(forge)s::uuid) AS same
    FROM skypanel.source_statuses t WHERE t.source_id = %(row)s
), written AS (
    INSERT INTO skypanel.source_statuses AS t (source_id, organization_id, forge_id, commit, state, sentence, problem, attempts)
    SELECT f.source_id, f.organization_id, f.id, %(commit)s, %(state)s, %(sentence)s, %(problem)s, 1
    FROM skypanel.source_forges f, leader WHERE f.id = %(forge)s
    ON CONFLICT (source_id) DO UPDATE
    SET forge_id = excluded.forge_id, commit = excluded.commit, state = excluded.state, sentence = excluded.sentence, problem = excluded.problem, at = clock_timestamp(),
        attempts = CASE WHEN (SELECT b.same FROM before b) AND excluded.problem <> '' THEN t.attempts + 1 ELSE 1 END
    RETURNING source_id, organization_id
)
INSERT INTO skypanel.events (kind, object_id, organization_id, type, reason, message)
SELECT %(kind)s, w.source_id, w.organization_id, 'Warning', 'StatusNotSaid', left(%(problem)s, 1024)
FROM written w
WHERE %(problem)s <> '' AND NOT EXISTS (SELECT FROM before b WHERE b.problem = %(problem)s)
RETURNING 1
