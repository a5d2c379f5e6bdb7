INSERT INTO {table} ({columns}) VALUES ({values}) RETURNING {returned}
