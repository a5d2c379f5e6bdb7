SELECT {id_column} FROM {table} WHERE {key_column} = %(key)s
