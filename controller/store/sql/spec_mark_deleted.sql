UPDATE {table} SET deleted_at = clock_timestamp() WHERE {id_column} = %(row_id)s AND deleted_at IS NULL
