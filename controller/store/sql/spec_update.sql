UPDATE {table} SET {assignments} WHERE {id_column} = %(row_id)s
