-- The rules of columns that are mostly NULL are not gone through: PostgreSQL puts a rule's function into each statement that writes
-- the table, and plans it there, also for NULL. One that is strict and whose body is not is called, and only when there is a value.

ALTER FUNCTION skypanel.is_health_check(jsonb) STRICT;
ALTER FUNCTION skypanel.is_command(text[]) STRICT;
ALTER FUNCTION skypanel.is_user(text) STRICT;
