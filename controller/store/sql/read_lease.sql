SELECT holder, epoch, extract(epoch FROM clock_timestamp() - renewed_at)::float,
       extract(epoch FROM expires_at - clock_timestamp())::float
FROM skypanel.lease
WHERE name = %(name)s
