UPDATE {table} SET deleted_at = NULL WHERE {id_column} = %(row_id)s
