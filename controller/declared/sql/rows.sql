-- Declared rows, written for any kind from its table binding: what stands in braces is an identifier or a list of them.

-- name: find
-- The row of a declared resource that is not deleted, with the rows attached to it.
SELECT t.id, {columns}
FROM {table} t {joins}
WHERE {conditions}

-- name: lock
SELECT FROM {table} WHERE {id_column} = %(id)s FOR NO KEY UPDATE

-- name: insert
INSERT INTO {table} ({columns}) VALUES ({values}) RETURNING {returned}

-- name: update
UPDATE {table} SET {assignments} WHERE {id_column} = %(row_id)s

-- name: delete
DELETE FROM {table} WHERE {id_column} = %(row_id)s

-- name: mark_deleted
UPDATE {table} SET deleted_at = clock_timestamp() WHERE {id_column} = %(row_id)s AND deleted_at IS NULL

-- name: take_back
UPDATE {table} SET deleted_at = NULL WHERE {id_column} = %(row_id)s

-- name: whereabouts
-- What a row is called, whether it is deleted, and whose it is; nobody changes that meanwhile.
SELECT {key_column}, deleted_at IS NOT NULL, {parent_column} FROM {table} WHERE {id_column} = %(row_id)s FOR NO KEY UPDATE

-- name: deleted_owner
-- Whether the owner is deleted, which what is below it then is as well, whatever its own row says.
SELECT 1 FROM {table} t JOIN {owner_table} o ON o.{owner_id} = t.{parent_column}
WHERE t.{id_column} = %(row_id)s AND o.deleted_at IS NOT NULL
FOR SHARE OF o

-- name: part
-- Taking a deletion back brings back what was deleted together with the row, by its equal deleted_at. A declared
-- resource stands for itself alone: what was deleted with it is set apart first, and so stays deleted.
UPDATE {table} SET deleted_at = deleted_at - interval '1 microsecond'
WHERE {owner_column} = %(row_id)s
  AND deleted_at = (SELECT deleted_at FROM {owner_table} WHERE {id_column} = %(row_id)s)

-- name: holder
-- Which owner has a name that only one may have.
SELECT n.path, n.id
FROM {table} t
JOIN skypanel.names n ON n.kind = %(owner)s AND n.id = t.{parent_column}
WHERE t.{key_column} = %(key)s AND t.deleted_at IS NULL

-- name: check_now
-- What the database checks at the end of a transaction, it checks now, and from now on at once.
SET CONSTRAINTS ALL IMMEDIATE

-- name: reference
SELECT {id_column} FROM {table} WHERE {key_column} = %(key)s

-- name: hold
-- Its generation, which nobody changes before this transaction ends.
SELECT generation FROM {table} WHERE {id_column} = %(row_id)s FOR NO KEY UPDATE
