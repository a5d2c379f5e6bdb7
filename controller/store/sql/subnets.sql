-- The address plan of organizations.

-- name: allocate
-- The organization's own subnet, or the lowest free one; NULL when the pool is used up. No row: this process does not lead.
SELECT skypanel.allocate_subnet(%(organization_id)s, %(pool)s, %(prefix)s, %(taken)s::cidr[],
                                make_interval(secs => %(quarantine)s))::text
FROM leader

-- name: adopt
-- The subnet that a live network of the organization has: into the plan, unless it is somebody else's there. No row: this
-- process does not lead.
SELECT skypanel.adopt_subnet(%(organization_id)s, %(subnet)s, %(instead_of)s::uuid) FROM leader

-- name: release
-- Into quarantine with the organization's subnet. No row: this process does not lead.
SELECT skypanel.release_subnet(%(organization_id)s) FROM leader
