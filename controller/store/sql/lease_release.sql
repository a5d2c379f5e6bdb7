UPDATE skypanel.lease SET expires_at = clock_timestamp()
WHERE name = %(lease)s AND holder = %(holder)s AND epoch = %(epoch)s
