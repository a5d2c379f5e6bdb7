-- How many environments each app has, how many are ready, how many are still being removed, and of how many nobody knows.
SELECT e.app_id,
       count(*) FILTER (WHERE e.deleted_at IS NULL),
       count(*) FILTER (WHERE e.deleted_at IS NULL AND s.ready = 'True'),
       count(*) FILTER (WHERE e.deleted_at IS NULL AND s.stalled),
       count(*) FILTER (WHERE e.deleted_at IS NOT NULL AND s.finalized_at IS NULL),
       count(*) FILTER (WHERE e.deleted_at IS NULL AND s.reason IN ('ControllerAway', 'EngineAway')),
       min(s.reason) FILTER (WHERE s.reason IN ('ControllerAway', 'EngineAway'))
FROM public.paas_environments e
LEFT JOIN skypanel.status s ON s.kind = 'environment' AND s.id = e.id
WHERE e.app_id = ANY (%(ids)s)
GROUP BY e.app_id
