DELETE FROM {table} WHERE {id_column} = %(row_id)s
