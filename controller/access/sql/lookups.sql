-- Who calls; see controller/access/authentication.py.

-- name: person
SELECT jsonb_build_object('person', skypanel.person_of(%(user)s, %(asked)s),
                          'admin', CASE WHEN %(admin)s::uuid IS NOT NULL THEN skypanel.person_of(%(admin)s) END)

-- name: token
SELECT skypanel.token_of(%(hash)s, %(asked)s)

-- name: used
SELECT skypanel.token_used(%(id)s, %(address)s)

-- name: bindings
SELECT skypanel.bindings_of(%(issuer)s, %(claims)s::jsonb, %(asked)s)

-- name: session
SELECT skypanel.session_of(%(hash)s, %(asked)s)
