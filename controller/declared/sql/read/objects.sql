-- Declared objects of one kind with what was last said of them.
SELECT {id}, {spec_table}.generation, {spec_table}.created_at, {deleted_at}, {columns},
       s.observed_generation, s.conditions, s.ready, s.reason, s.message, s.stalled, s.details, s.finalized_at, s.updated_at, s.as_of
FROM {table} t {joins}
LEFT JOIN skypanel.status s ON s.kind = %(kind)s AND s.id = {id}{among}
WHERE {conditions}
ORDER BY {order}
{most}
