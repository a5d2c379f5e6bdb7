-- The same for a role that may do it by a function alone.
SELECT skypanel.confirm_losses(%(kinds)s::text[], %(ids)s::uuid[], %(objects)s::int[], %(processes)s::int[], %(hosts)s::int[])
