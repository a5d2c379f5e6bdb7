-- Before a statement of the same transaction that joins any number of rows. Tables that were empty when the planner last
-- counted them are joined by going through them for each row: ten thousand times ten thousand.
SELECT set_config('enable_nestloop', 'off', true), set_config('plan_cache_mode', 'force_custom_plan', true)
