-- Image policies of organizations, which environments are judged by, and the verdicts: each with what it is about and why.
-- One table that readers join already is locked in this file: caas_image_policies.

ALTER TABLE public.caas_image_policies
    ADD COLUMN IF NOT EXISTS name text NOT NULL DEFAULT 'default' CONSTRAINT caas_image_policies_name_default CHECK (name = 'default'),
    ADD COLUMN IF NOT EXISTS enforcement text NOT NULL DEFAULT 'new'
        CONSTRAINT caas_image_policies_enforcement_known CHECK (enforcement IN ('audit', 'new', 'all'));
CALL skypanel.bound_table('public.caas_image_policies');
COMMENT ON TABLE public.caas_image_policies IS
    'Which images an organization may run, beside what the settings of the installation say. Empty lists of what is allowed allow all that is not blocked.';
COMMENT ON COLUMN public.caas_image_policies.name IS 'spec: default; an organization has one policy';
COMMENT ON COLUMN public.caas_image_policies.allowed_registries IS 'spec: hosts as image references have them, docker.io for Docker Hub; * stands for any characters';
COMMENT ON COLUMN public.caas_image_policies.allowed_patterns IS 'spec: one of them has to stand for the image, as docker.io/library/*';
COMMENT ON COLUMN public.caas_image_policies.blocked_patterns IS 'spec: none of them may stand for the image, in any spelling: *:latest';
COMMENT ON COLUMN public.caas_image_policies.require_digest IS 'spec: image_ref has to name a digest';
COMMENT ON COLUMN public.caas_image_policies.require_signed IS 'spec: the image has to be signed';
COMMENT ON COLUMN public.caas_image_policies.enforcement IS
    'spec: audit: what violates it is said; new: what is new is refused, what runs is marked and goes on; all: what runs is stopped';
CALL skypanel.declare_kind('imagepolicy', 'caas_image_policies', name => 'name', parent => 'organization', parent_column => 'organization_id');

-- Whoever is judged by it is looked at again, as with users of registries.
CREATE OR REPLACE TRIGGER caas_image_policies_first_lock BEFORE INSERT OR UPDATE OR DELETE ON public.caas_image_policies
    FOR EACH ROW EXECUTE FUNCTION skypanel.lock_registry_users();
CREATE OR REPLACE TRIGGER caas_image_policies_touch AFTER INSERT OR DELETE ON public.caas_image_policies
    FOR EACH ROW EXECUTE FUNCTION skypanel.touch_registry_users();
CREATE OR REPLACE TRIGGER caas_image_policies_spec_touch AFTER UPDATE ON public.caas_image_policies
    FOR EACH ROW WHEN (OLD.generation IS DISTINCT FROM NEW.generation) EXECUTE FUNCTION skypanel.touch_registry_users();

-- Verdicts: the newest ones of each environment.

CREATE TABLE IF NOT EXISTS public.caas_image_verdicts (
    environment_id uuid        NOT NULL CONSTRAINT caas_image_verdicts_environment_id_fkey
                               REFERENCES public.paas_environments (id) ON DELETE CASCADE,
    image          text        NOT NULL CONSTRAINT caas_image_verdicts_image_bounded CHECK (length(image) <= 1024),
    policy         text        NOT NULL CONSTRAINT caas_image_verdicts_policy_bounded CHECK (length(policy) <= 64),
    verdict        text        NOT NULL CONSTRAINT caas_image_verdicts_verdict_known
                               CHECK (verdict IN ('allowed', 'audited', 'marked', 'refused', 'stopped')),
    reason         text        NOT NULL CONSTRAINT caas_image_verdicts_reason_bounded CHECK (length(reason) <= 64),
    message        text        NOT NULL CONSTRAINT caas_image_verdicts_message_bounded CHECK (length(message) <= 16384),
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (environment_id, image)
);
COMMENT ON TABLE public.caas_image_verdicts IS
    'status: what image policies said of an image that an environment asked for, and why; the newest twenty of each environment.';
COMMENT ON COLUMN public.caas_image_verdicts.image IS 'status: as tasks name it, with its digest where that was known';
COMMENT ON COLUMN public.caas_image_verdicts.policy IS 'status: another one where another policy was asked; empty: there was none any more';
COMMENT ON COLUMN public.caas_image_verdicts.verdict IS
    'status: allowed; audited: it violates one that only says so; marked: it runs already, and goes on; refused; stopped: it ran';
COMMENT ON COLUMN public.caas_image_verdicts.reason IS 'status: as in conditions; empty: nothing is wrong';
CREATE INDEX IF NOT EXISTS caas_image_verdicts_newest ON public.caas_image_verdicts (environment_id, updated_at);
CREATE OR REPLACE TRIGGER update_caas_image_verdicts_updated_at BEFORE UPDATE ON public.caas_image_verdicts
    FOR EACH ROW EXECUTE FUNCTION skypanel.touch_updated_at();

CREATE OR REPLACE FUNCTION skypanel.keep_newest_verdicts() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM public.caas_image_verdicts WHERE environment_id = NEW.environment_id AND image IN (
        SELECT n.image
          FROM (SELECT v.image, row_number() OVER (PARTITION BY v.verdict = 'stopped' ORDER BY v.updated_at DESC) AS place
                  FROM public.caas_image_verdicts v WHERE v.environment_id = NEW.environment_id) n
         WHERE n.place > 20);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION skypanel.keep_newest_verdicts IS 'Twenty of each environment, and as many of what was stopped, however many others are asked for after it.';
REVOKE EXECUTE ON FUNCTION skypanel.keep_newest_verdicts FROM PUBLIC;
CREATE OR REPLACE TRIGGER caas_image_verdicts_keep AFTER INSERT ON public.caas_image_verdicts
    FOR EACH ROW EXECUTE FUNCTION skypanel.keep_newest_verdicts();

-- What documents say.

CREATE OR REPLACE VIEW skypanel.snapshot_organization AS
    SELECT p.organization_id AS id, p.organization_id, p.generation, p.deleted_at IS NOT NULL AS deleted,
           jsonb_build_object(
               'id', p.organization_id, 'slug', skypanel.slug_of(o.slug, o.id), 'name', o.name,
               'suspended', p.suspended, 'network_prefix', p.network_prefix,
               'policies', (SELECT coalesce(jsonb_agg(name), '[]') FROM (
                   SELECT 'caas_network_policies' AS name FROM public.caas_network_policies n
                    WHERE n.organization_id = p.organization_id AND (egress_allow <> '[]' OR ingress_allow <> '[]' OR default_deny)
                   ) AS asked)) || (
               -- So many have a page: a service of the Swarm has room for their labels. The first ones, so that they stay the same.
               SELECT jsonb_build_object(
                          'suspended_hosts', coalesce(jsonb_agg(h.hostname ORDER BY h.hostname) FILTER (WHERE h.suspended), '[]'),
                          'resuming_hosts', coalesce(jsonb_agg(h.hostname ORDER BY h.hostname) FILTER (WHERE NOT h.suspended), '[]'))
                 FROM (SELECT d.hostname, e.suspended OR a.suspended OR p.suspended AS suspended,
                              row_number() OVER (PARTITION BY e.suspended OR a.suspended OR p.suspended ORDER BY d.hostname) AS place
                         FROM public.paas_apps a
                         JOIN public.paas_environments e ON e.app_id = a.id AND e.deleted_at IS NULL
                         JOIN public.paas_domains d ON d.environment_id = e.id AND d.deleted_at IS NULL
                         LEFT JOIN skypanel.object_status s ON s.kind = 'environment' AND s.id = e.id
                        WHERE a.organization_id = p.organization_id AND a.deleted_at IS NULL
                          AND (e.suspended OR a.suspended OR p.suspended
                               -- Resumed, and not ready yet; what is given up has no page.
                               OR s.observed_generation < e.generation
                               OR (NOT s.ready AND NOT s.conditions @> '[{"type": "Stalled", "status": "True"}]'))) AS h
                WHERE h.place <= 500) AS doc
      FROM public.paas_organizations p
      JOIN public.organizations o ON o.id = p.organization_id;

-- The document of an environment has policy and verdicts with 0050.
