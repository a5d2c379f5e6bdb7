-- An environment in buildpack mode runs the image of its newest deployment that succeeded. Newest by when it was asked for: an older
-- build that took longer takes nothing back.
-- No table that readers join already is locked in this file.

CALL skypanel.add_rule('public.paas_deployments', 'image_ref', 'skypanel.is_image(image_ref)', 'paas_deployments_image_ref_form');
COMMENT ON COLUMN public.paas_deployments.image_ref IS 'spec: what was built; an environment in buildpack mode runs that of its newest deployment that succeeded';
COMMENT ON COLUMN public.paas_environments.image_ref IS 'spec: image mode: what to run; buildpack mode: what runs until a deployment has succeeded';

CREATE OR REPLACE FUNCTION skypanel.built_image(p_environment uuid, p_declared text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce((SELECT image_ref FROM public.paas_deployments
                      WHERE environment_id = p_environment AND status = 'succeeded' AND image_ref IS NOT NULL
                      ORDER BY created_at DESC, id DESC LIMIT 1),
                    p_declared)
$$;
COMMENT ON FUNCTION skypanel.built_image IS 'What an environment in buildpack mode runs; NULL: nothing was built yet.';
REVOKE EXECUTE ON FUNCTION skypanel.built_image FROM PUBLIC;

CREATE OR REPLACE FUNCTION skypanel.touch_deployed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
-- Who deployed, and which commit, is on record of the release.
DECLARE
    commit text := coalesce(current_setting('skypanel.commit', true), '');
BEGIN
    IF commit = '' AND TG_OP <> 'DELETE' THEN
        PERFORM set_config('skypanel.commit', coalesce(NEW.git_sha, ''), true);
    END IF;
    UPDATE public.paas_environments e SET inputs_version = inputs_version % 9223372036854775807 + 1
     WHERE e.id IN (OLD.environment_id, NEW.environment_id) AND e.deploy_mode = 'buildpack'
       AND NOT EXISTS (SELECT FROM public.paas_deployments d
                        WHERE d.environment_id = e.id AND d.status = 'succeeded' AND d.image_ref IS NOT NULL
                          AND d.id IS DISTINCT FROM NEW.id AND d.created_at > coalesce(NEW.created_at, OLD.created_at)
                          AND (OLD.created_at IS NULL OR d.created_at > OLD.created_at));
    PERFORM set_config('skypanel.commit', commit, true);
    RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION skypanel.touch_deployed FROM PUBLIC;
CREATE OR REPLACE TRIGGER paas_deployments_first_lock BEFORE INSERT OR UPDATE OR DELETE ON public.paas_deployments
    FOR EACH ROW EXECUTE FUNCTION skypanel.lock_owner('public.paas_environments', 'id', 'environment_id');
CREATE OR REPLACE TRIGGER paas_deployments_made AFTER INSERT ON public.paas_deployments
    FOR EACH ROW WHEN (NEW.status = 'succeeded') EXECUTE FUNCTION skypanel.touch_deployed();
CREATE OR REPLACE TRIGGER paas_deployments_changed AFTER UPDATE ON public.paas_deployments
    FOR EACH ROW WHEN ('succeeded' IN (OLD.status, NEW.status)
                       AND (OLD.status, OLD.image_ref, OLD.environment_id, OLD.created_at)
                           IS DISTINCT FROM (NEW.status, NEW.image_ref, NEW.environment_id, NEW.created_at))
    EXECUTE FUNCTION skypanel.touch_deployed();
CREATE OR REPLACE TRIGGER paas_deployments_gone AFTER DELETE ON public.paas_deployments
    FOR EACH ROW WHEN (OLD.status = 'succeeded') EXECUTE FUNCTION skypanel.touch_deployed();

-- The document of an environment says so with 0050.
