-- Which migrations the database has had.
SELECT version, name FROM skypanel.schema_migrations
