-- Into quarantine with the organization's subnet. No row: this process does not lead.
SELECT skypanel.release_subnet(%(organization)s) FROM leader
