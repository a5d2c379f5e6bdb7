-- What the oracles ask afterwards, written down by the database itself while it happens: who held the lease when, and
-- every status that was ever written. Each row says the epoch; one that goes back on a key is a violation.
CREATE SCHEMA chaos;

CREATE TABLE chaos.terms (
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    holder     text        NOT NULL,
    epoch      bigint      NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE TABLE chaos.statuses (
    at                  timestamptz NOT NULL DEFAULT clock_timestamp(),
    kind                text        NOT NULL,
    id                  uuid        NOT NULL,
    observed_generation bigint      NOT NULL,
    conditions          jsonb       NOT NULL,
    updated_at          timestamptz NOT NULL,
    epoch               bigint      NOT NULL
);
CREATE TABLE chaos.violations (
    at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    what text        NOT NULL
);

CREATE FUNCTION chaos.record_term() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO chaos.terms (holder, epoch, expires_at) VALUES (NEW.holder, NEW.epoch, NEW.expires_at);
    IF TG_OP = 'UPDATE' AND NEW.epoch < OLD.epoch THEN
        INSERT INTO chaos.violations (what) VALUES (format('lease: epoch %s after %s', NEW.epoch, OLD.epoch));
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER record_term AFTER INSERT OR UPDATE ON skypanel.lease FOR EACH ROW EXECUTE FUNCTION chaos.record_term();

CREATE FUNCTION chaos.record_status() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO chaos.statuses (kind, id, observed_generation, conditions, updated_at, epoch)
    VALUES (NEW.kind, NEW.id, NEW.observed_generation, NEW.conditions, NEW.updated_at, NEW.epoch);
    IF TG_OP = 'UPDATE' AND NEW.epoch < OLD.epoch THEN
        INSERT INTO chaos.violations (what)
        VALUES (format('status of %s/%s: epoch %s after %s', NEW.kind, NEW.id, NEW.epoch, OLD.epoch));
    END IF;
    IF TG_OP = 'UPDATE' AND NEW.observed_generation < OLD.observed_generation THEN
        INSERT INTO chaos.violations (what)
        VALUES (format('status of %s/%s: generation %s after %s', NEW.kind, NEW.id, NEW.observed_generation, OLD.observed_generation));
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER record_status AFTER INSERT OR UPDATE ON skypanel.object_status FOR EACH ROW EXECUTE FUNCTION chaos.record_status();

CREATE FUNCTION chaos.record_inventory() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF NEW.epoch < OLD.epoch THEN
        INSERT INTO chaos.violations (what)
        VALUES (format('inventory of %s %s: epoch %s after %s', NEW.object_type, NEW.name, NEW.epoch, OLD.epoch));
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER record_inventory AFTER UPDATE ON skypanel.inventory FOR EACH ROW EXECUTE FUNCTION chaos.record_inventory();
