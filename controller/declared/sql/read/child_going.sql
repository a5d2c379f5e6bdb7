-- Whether an owner has a child of which something is left; a condition of read/objects.
EXISTS (SELECT FROM {children} c LEFT JOIN skypanel.object_status x ON x.kind = {kind} AND x.id = c.id
        WHERE c.{owner_column} = t.id AND x.finalized_at IS NULL)
