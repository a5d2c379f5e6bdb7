SELECT d.dependent_kind, d.dependent_id::text
FROM skypanel.dependents d
WHERE d.kind = %(kind)s AND d.id = %(id)s
