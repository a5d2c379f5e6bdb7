-- Sessions of browsers; see controller/access/sessions.py.

-- name: begin
SELECT skypanel.session_begins(%(id)s, %(hash)s, %(whose)s, %(token)s, %(user)s::uuid, %(admin)s::uuid, %(issuer)s, %(claims)s::jsonb, %(actor)s,
                               %(until)s::timestamptz, %(address)s)

-- name: used
SELECT skypanel.session_used(%(hash)s)

-- name: end
SELECT skypanel.session_ends(%(hash)s, %(why)s)

-- name: end_all
SELECT skypanel.sessions_end(%(whose)s)
