"""The database schema as numbered SQL files, applied in order by `skypanel migrate`.

One file a subject; an applied file never changes, a later kind adds a file. Every file can be run again by
hand (`psql -f`) without harm. `ledger.sql` holds the record of what was applied and is not numbered.
"""
