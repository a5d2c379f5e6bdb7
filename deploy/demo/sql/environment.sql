-- One environment by its path, and how far it is for the generation that it has now.
SELECT e.id, coalesce(s.ready AND s.observed_generation >= e.generation, false) AS ready,
       coalesce(s.message, 'the controller has not said anything of it yet') AS message
FROM paas_environments e
JOIN paas_apps a ON a.id = e.app_id
JOIN organizations o ON o.id = a.organization_id
LEFT JOIN skypanel.object_status s ON s.kind = 'environment' AND s.id = e.id
WHERE o.slug = %(organization)s AND a.slug = %(app)s AND e.name = %(name)s AND e.deleted_at IS NULL
