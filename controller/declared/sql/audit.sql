-- The audit; see controller/declared/audit.py.

-- name: listed
-- The newest entries first. What is not sealed yet is newer than what is, but for transactions that took long.
SELECT position, entry
FROM skypanel.audit
WHERE (%(tenant)s = '' OR path = %(tenant)s OR starts_with(path, %(tenant)s || '/')
       OR organization_id IN (SELECT n.id FROM skypanel.names n WHERE n.kind = %(tenants)s AND n.path = %(tenant)s))
  AND (%(kind)s = '' OR kind = %(kind)s)
  AND (%(path)s = '' OR path = %(path)s OR starts_with(path, %(path)s || '/'))
  AND (%(actor)s = '' OR %(actor)s IN (actor, session_role, said ->> 'actor') OR %(actor)s = ANY (string_to_array(actor, ' ')))
  AND (%(since)s::text IS NULL OR entry ->> 'at' >= %(since)s)
ORDER BY entry ->> 'at' DESC, position DESC
LIMIT %(most)s

-- name: sealed
-- The chain, from a position on, as it was hashed.
SELECT position, encode(previous, 'hex'), encode(hash, 'hex'), entry::text
FROM skypanel.audit_log WHERE position > %(after)s ORDER BY position LIMIT %(most)s

-- name: head
-- The last entry, and how many are not sealed, since when.
SELECT h.position, encode(h.hash, 'hex'), u.entries, extract(epoch FROM clock_timestamp() - u.oldest)::float
FROM skypanel.audit_head h,
     (SELECT count(*) AS entries, min((entry ->> 'at')::timestamptz) AS oldest FROM skypanel.audit_unsealed) u

-- name: refuse
SELECT skypanel.record_refusal(%(tried)s, %(kind)s, %(path)s, %(message)s)
