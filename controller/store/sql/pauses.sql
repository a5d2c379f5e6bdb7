-- How many pauses there are of each scope.
SELECT scope, count(*) FROM skypanel.reconcile_controls WHERE paused GROUP BY scope
