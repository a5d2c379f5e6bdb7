-- What waits for a confirmation, by owner, with its name as far as anything still knows it. A row may be gone for good.
SELECT kind, id::text, name, organization, why, objects, processes, hosts, made, since, confirmed_at, confirmed_by
FROM skypanel.fuse_waiting
ORDER BY nullif(organization, '') NULLS LAST, name, kind, id
