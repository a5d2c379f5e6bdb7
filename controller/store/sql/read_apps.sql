-- How many environments each app has, how many are ready, and how many are still being removed.
SELECT e.app_id,
       count(*) FILTER (WHERE e.deleted_at IS NULL),
       count(*) FILTER (WHERE e.deleted_at IS NULL AND s.ready AND s.observed_generation >= e.generation),
       count(*) FILTER (WHERE e.deleted_at IS NULL AND s.observed_generation >= e.generation
                        AND s.conditions @> '[{"type": "Stalled", "status": "True"}]'),
       count(*) FILTER (WHERE e.deleted_at IS NOT NULL AND s.finalized_at IS NULL)
FROM public.paas_environments e
LEFT JOIN skypanel.object_status s ON s.kind = 'environment' AND s.id = e.id
WHERE e.app_id = ANY (%(ids)s)
GROUP BY e.app_id
