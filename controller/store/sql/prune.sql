-- One piece of what is old. No row: this process does not lead.
SELECT skypanel.prune(%(what)s, %(days)s, %(most)s) FROM leader
