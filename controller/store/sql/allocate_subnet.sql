-- The organization's own subnet, or the lowest free one; NULL when the pool is used up. No row: this process does not lead.
SELECT skypanel.allocate_subnet(%(organization)s, %(pool)s, %(prefix)s, %(taken)s::cidr[],
                                make_interval(secs => %(quarantine)s))::text
FROM leader
