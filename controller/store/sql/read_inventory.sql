SELECT owner_kind, owner_id, object_type, name, engine_id, spec_hash, failed_hash, last_good, state,
       template_hash
FROM skypanel.inventory
WHERE owner_id = ANY (%(ids)s)
ORDER BY object_type, name
