-- The row of a declared resource that is not deleted, with the rows attached to it.
SELECT t.id, {columns}
FROM {table} t {joins}
WHERE {conditions}
