-- The documents that render reads, of some objects of one kind.
SELECT id, organization_id, generation, deleted, doc FROM {view} WHERE id = ANY (%(ids)s)
