-- Asks for a look at an object now.
INSERT INTO skypanel.reconcile_controls (scope, kind, id, reconcile_token) VALUES ('object', %(kind)s, %(id)s, %(token)s)
ON CONFLICT (scope, kind, id) DO UPDATE SET reconcile_token = excluded.reconcile_token
