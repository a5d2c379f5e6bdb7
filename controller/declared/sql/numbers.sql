-- Numbers of the whole platform; see controller/declared/numbers.py.

-- name: of_platform
SELECT kind, state, number FROM skypanel.platform_numbers ORDER BY kind, state
