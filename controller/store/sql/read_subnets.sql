SELECT organization_id, subnet::text FROM skypanel.subnets WHERE organization_id = ANY (%(ids)s)
