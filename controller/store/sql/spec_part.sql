-- Taking a deletion back brings back what was deleted together with the row, by its equal deleted_at. A declared
-- resource stands for itself alone: what was deleted with it is set apart first, and so stays deleted.
UPDATE {table} SET deleted_at = deleted_at - interval '1 microsecond'
WHERE {owner_column} = %(row_id)s
  AND deleted_at = (SELECT deleted_at FROM {owner_table} WHERE {id_column} = %(row_id)s)
