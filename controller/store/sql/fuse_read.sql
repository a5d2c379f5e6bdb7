SELECT tripped_at, doomed, doomed_count, live_count, confirmed_at, confirmed_by FROM skypanel.fuse WHERE id
