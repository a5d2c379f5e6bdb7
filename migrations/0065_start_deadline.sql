-- A new release says that the controller ends what is never healthy (start_deadline), as it says that what has a port is asked whether it
-- listens (port_check). Nobody declares either: a tag that moved is still all that is another one.

-- Nothing but the content of the image that is declared is another one: then nobody has changed the environment.
CREATE OR REPLACE FUNCTION skypanel.make_release(
    p_environment uuid, p_generation bigint, p_digest text, p_config_digest text, p_image text,
    p_settings jsonb, p_processes jsonb, p_resolved jsonb, p_most integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    e       record;
    newest  record;
    config  jsonb;
    made    integer;
    moved   boolean;
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true); -- what is lost with a crash is made once more, under the same number
    SELECT r.version, r.digest, r.image_ref, r.settings, r.processes, r.config, r.content_of INTO newest
      FROM public.paas_releases r WHERE r.environment_id = p_environment AND r.is_primary;
    IF newest.digest = p_digest THEN
        RETURN newest.version;
    END IF;
    SELECT v.id, v.app_id, a.organization_id, v.generation, v.release, v.changed_by, v.change_reason, v.change_commit INTO e
      FROM public.paas_environments v JOIN public.paas_apps a ON a.id = v.app_id
     WHERE v.id = p_environment FOR NO KEY UPDATE OF v SKIP LOCKED; -- whoever writes it now, wakes us when he is done
    IF e.generation IS DISTINCT FROM p_generation THEN
        RETURN NULL;
    END IF;
    IF e.release IS NOT NULL THEN
        SELECT r.config INTO config FROM public.paas_releases r WHERE (r.environment_id, r.version) = (e.id, e.release);
    ELSE
        SELECT CASE WHEN count(*) > 0 THEN jsonb_build_object(
                   'digest', md5(string_agg(concat_ws(',', v.name, v.revision, v.as_file), ';' ORDER BY v.name COLLATE "C")),
                   'variables', count(*),
                   'files', coalesce(jsonb_agg(v.name ORDER BY v.name COLLATE "C") FILTER (WHERE v.as_file), '[]'),
                   'vars', jsonb_agg(jsonb_build_object('name', v.name, 'version', v.version, 'revision', v.revision, 'as_file', v.as_file,
                                                        'layer', v.layer) ORDER BY v.name COLLATE "C")) END
          INTO config FROM skypanel.config_now(e.organization_id, e.app_id, e.id) v;
    END IF;
    IF config ->> 'digest' IS DISTINCT FROM p_config_digest THEN
        RETURN NULL;
    END IF;
    moved := coalesce(e.release IS NULL AND newest.content_of IS NULL
                      AND newest.image_ref LIKE '%@%' AND p_image LIKE '%@%' AND newest.image_ref <> p_image
                      AND newest.settings -> 'image_ref'::text = p_settings -> 'image_ref'::text
                      AND newest.settings - '{port_check,start_deadline}'::text[] = p_settings - '{port_check,start_deadline}'::text[]
                      AND skypanel.without_scale(newest.processes) = skypanel.without_scale(p_processes)
                      AND newest.config ->> 'digest'::text IS NOT DISTINCT FROM p_config_digest, false);
    UPDATE public.paas_releases SET is_primary = false WHERE environment_id = p_environment AND is_primary;
    INSERT INTO public.paas_releases AS r
           (environment_id, version, image_ref, processes, settings, resolved, digest, config, config_snapshot, config_revisions,
            is_primary, content_of, made_by, reason, source_commit)
    SELECT p_environment, coalesce((SELECT max(version) FROM public.paas_releases WHERE environment_id = p_environment), 0) + 1,
           p_image, p_processes, p_settings, p_resolved, p_digest, config,
           coalesce((SELECT jsonb_object_agg(v ->> 'name', v -> 'version') FROM jsonb_array_elements(config -> 'vars') v), '{}'),
           ARRAY(SELECT (v ->> 'revision')::uuid FROM jsonb_array_elements(coalesce(config -> 'vars', '[]')) v),
           true, e.release,
           CASE WHEN moved THEN 'registry' ELSE e.changed_by END,
           CASE WHEN moved THEN format('%s moved from %s to %s', p_settings ->> 'image_ref'::text,
                                       left(split_part(newest.image_ref, '@', 2), 19), left(split_part(p_image, '@', 2), 19))
                ELSE e.change_reason END,
           CASE WHEN NOT moved THEN e.change_commit END
    RETURNING r.version INTO made;
    DELETE FROM public.paas_releases
     WHERE environment_id = p_environment AND version <= made - p_most AND version IS DISTINCT FROM e.release
       AND version IS DISTINCT FROM (SELECT max(version) FROM public.paas_releases
                                      WHERE environment_id = p_environment AND deployed_at IS NOT NULL);
    RETURN made;
END
$$;
