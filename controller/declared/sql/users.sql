-- Users belong to the panel; see controller/actions/users.py.

-- name: add
INSERT INTO users (email, password_hash, name)
VALUES (%(email)s, %(hash)s, %(name)s)
ON CONFLICT DO NOTHING
RETURNING id
