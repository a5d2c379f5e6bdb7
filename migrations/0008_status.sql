-- Status: what the controller says about each object, apart from what was asked for.

CREATE TABLE IF NOT EXISTS skypanel.object_status (
    kind                text        NOT NULL,
    id                  uuid        NOT NULL,
    organization_id     uuid,
    observed_generation bigint      NOT NULL,
    conditions          jsonb       NOT NULL DEFAULT '[]' CONSTRAINT object_status_conditions_list CHECK (jsonb_typeof(conditions) = 'array'),
    ready               boolean     NOT NULL,
    reason              text        NOT NULL,
    message             text        NOT NULL,
    details             jsonb       NOT NULL DEFAULT '{}' CONSTRAINT object_status_details_object CHECK (jsonb_typeof(details) = 'object'),
    finalized_at        timestamptz,
    epoch               bigint      NOT NULL,
    updated_at          timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (kind, id)
);
COMMENT ON TABLE skypanel.object_status IS
    'How far each object is. Compare observed_generation with the row''s generation: ready speaks of that generation only. No foreign keys: the status outlives the row until the clean-up is done.';
COMMENT ON COLUMN skypanel.object_status.kind IS 'organization, environment, process, domain, ...';
COMMENT ON COLUMN skypanel.object_status.conditions IS 'A list of {"type", "status", "reason", "message"}; the generation they speak of is observed_generation.';
COMMENT ON COLUMN skypanel.object_status.reason IS 'One CamelCase word, for machines.';
COMMENT ON COLUMN skypanel.object_status.message IS 'A sentence, for people: what is, and what to do next.';
COMMENT ON COLUMN skypanel.object_status.finalized_at IS 'When a requested delete was done: nothing of the object is left on the engine.';
COMMENT ON COLUMN skypanel.object_status.epoch IS 'Term of the leader that wrote the row.';
CREATE INDEX IF NOT EXISTS object_status_organization ON skypanel.object_status (organization_id);
CREATE INDEX IF NOT EXISTS object_status_not_ready ON skypanel.object_status (kind, reason) WHERE NOT ready;
CREATE OR REPLACE TRIGGER update_object_status_updated_at BEFORE UPDATE ON skypanel.object_status
    FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();

CREATE TABLE IF NOT EXISTS skypanel.events (
    id              bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind            text        NOT NULL,
    object_id       uuid        NOT NULL,
    organization_id uuid,
    type            text        NOT NULL CONSTRAINT events_type_known CHECK (type IN ('Normal', 'Warning')),
    reason          text        NOT NULL,
    message         text        NOT NULL,
    count           integer     NOT NULL DEFAULT 1 CONSTRAINT events_count_positive CHECK (count > 0),
    first_at        timestamptz NOT NULL DEFAULT now(),
    last_at         timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE skypanel.events IS 'What happened to each object and why; equal ones in a row are counted. Old ones are pruned.';
CREATE INDEX IF NOT EXISTS events_object ON skypanel.events (kind, object_id, id DESC);
CREATE INDEX IF NOT EXISTS events_organization ON skypanel.events (organization_id, id DESC);
CREATE INDEX IF NOT EXISTS events_last_at ON skypanel.events (last_at);
