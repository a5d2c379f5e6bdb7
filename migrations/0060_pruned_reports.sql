-- Old reports are found by joins of any size, which the planner takes for larger than they are: it would compile them for a second, or
-- go through one side for each row of the other.

ALTER FUNCTION skypanel.prune_image_reports SET enable_nestloop = off;
ALTER FUNCTION skypanel.prune_image_reports SET jit = off;
