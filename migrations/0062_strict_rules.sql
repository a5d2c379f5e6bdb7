-- Rules of columns that are mostly NULL are not gone through, as 0027 had it: what came later forgot it, and half of what a write of an
-- environment's row cost was the planning of rules for NULL. is_slug and is_image stay as they are: their bodies go into the statement.

ALTER FUNCTION skypanel.are_files(jsonb) STRICT;
ALTER FUNCTION skypanel.are_hosts(jsonb) STRICT;
ALTER FUNCTION skypanel.are_sysctls(jsonb) STRICT;
ALTER FUNCTION skypanel.are_ulimits(jsonb) STRICT;
ALTER FUNCTION skypanel.are_words(text[], integer, integer) STRICT;
ALTER FUNCTION skypanel.is_argv(text[]) STRICT;
ALTER FUNCTION skypanel.is_bounded_json(jsonb, integer) STRICT;
ALTER FUNCTION skypanel.is_canary(jsonb) STRICT;
ALTER FUNCTION skypanel.is_health_check(jsonb) STRICT;
ALTER FUNCTION skypanel.are_vulnerability_limits(jsonb) STRICT;
