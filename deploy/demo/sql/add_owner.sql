-- An account that may own an organization. Nobody can log in with it: no password has this hash.
INSERT INTO users (email, password_hash, name)
SELECT %(email)s::text, '!', %(name)s
WHERE NOT EXISTS (SELECT FROM users WHERE email = %(email)s::text)
