-- The parts of an object are found by an index that every plan can use, also one made before its parameters are known.
DROP INDEX IF EXISTS skypanel.object_status_parent;
CREATE INDEX IF NOT EXISTS object_status_parent_id ON skypanel.object_status (parent_id);
