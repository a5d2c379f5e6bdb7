-- The subnet that a live network of the organization has: into the plan, unless it is somebody else's there. No row: this
-- process does not lead.
SELECT skypanel.adopt_subnet(%(organization)s, %(subnet)s, %(instead_of)s::uuid) FROM leader
