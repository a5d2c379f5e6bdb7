DELETE FROM skypanel.events WHERE last_at < now() - make_interval(days => %(days)s)
