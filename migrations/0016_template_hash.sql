-- What can fail in a service is its task template: it is known by a hash of its own, beside the one of the whole.
--
-- Hashes of failed specs that an older controller wrote match no template: such a spec is tried once more.

ALTER TABLE skypanel.inventory ADD COLUMN IF NOT EXISTS template_hash text;
COMMENT ON COLUMN skypanel.inventory.template_hash IS 'Hash of the task template in the spec last applied, without its networks.';
COMMENT ON COLUMN skypanel.inventory.failed_hash IS 'Hash of a task template that failed; it is not tried again by itself.';
COMMENT ON COLUMN skypanel.inventory.last_good IS 'The spec that last ran stably, whose task template a bad one falls back to; no secret is in a spec.';
