-- What was found is meant. Another place is a copy: it gets an identity of its own, so that the two are told apart.
INSERT INTO skypanel.identity AS i (id, place, cluster_id, installation, accepted_mark, accepted_at, accepted_by)
VALUES (true, %(place)s, %(cluster)s, %(installation)s, %(mark)s, now(), session_user)
ON CONFLICT (id) DO UPDATE
SET database_id = CASE WHEN i.place = excluded.place THEN i.database_id ELSE excluded.database_id END, place = excluded.place,
    cluster_id = excluded.cluster_id, installation = excluded.installation, accepted_mark = excluded.accepted_mark,
    accepted_at = excluded.accepted_at, accepted_by = excluded.accepted_by
