-- Stacks, buildpacks and templates are kinds, as plans are: declared by files, the API and the command line, and by the panel's SQL as before.
--
-- No table that readers join already is locked in this file.

-- A buildpack is called by one word in files; its name is what builders call it (paketo-buildpacks/python), in as many versions as there are.

ALTER TABLE public.paas_buildpacks ADD COLUMN IF NOT EXISTS slug text;
UPDATE public.paas_buildpacks b SET slug = w.slug || CASE WHEN w.number > 1 THEN '-' || left(b.id::text, 8) ELSE '' END
  FROM (SELECT id, rtrim(left(skypanel.slug_of(name || '-' || version, id), 54), '-') AS slug,
               row_number() OVER (PARTITION BY rtrim(left(skypanel.slug_of(name || '-' || version, id), 54), '-') ORDER BY created_at, id) AS number
          FROM public.paas_buildpacks) w
 WHERE w.id = b.id AND b.slug IS NULL;
COMMENT ON COLUMN public.paas_buildpacks.slug IS 'spec: what files and stacks call it; of the name and the version, where none is given';
COMMENT ON COLUMN public.paas_buildpacks.name IS 'spec: what builders call it, such as paketo-buildpacks/python';
COMMENT ON COLUMN public.paas_buildpacks.source_uri IS 'spec: docker:// and an image, or https:// of an archive';

CREATE OR REPLACE FUNCTION skypanel.name_buildpack() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.slug := coalesce(NEW.slug, rtrim(left(skypanel.slug_of(NEW.name || '-' || NEW.version, NEW.id), 63), '-'));
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION skypanel.name_buildpack IS 'A buildpack whose slug nobody gives has one of its name and version.';
CREATE OR REPLACE TRIGGER paas_buildpacks_first_name BEFORE INSERT ON public.paas_buildpacks FOR EACH ROW EXECUTE FUNCTION skypanel.name_buildpack();
ALTER TABLE public.paas_buildpacks ALTER COLUMN slug SET NOT NULL;
CREATE UNIQUE INDEX IF NOT EXISTS paas_buildpacks_slug_unique ON public.paas_buildpacks (slug);
CALL skypanel.add_rule('public.paas_buildpacks', 'slug', 'skypanel.is_slug(slug)', 'paas_buildpacks_slug_form');

-- The order of a stack's buildpacks is one field of it; rows of paas_stack_buildpacks are that order, whoever writes which.

ALTER TABLE public.paas_stacks ADD COLUMN IF NOT EXISTS buildpacks text[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN public.paas_stacks.buildpacks IS 'spec: slugs of buildpacks, in the order in which they are tried; paas_stack_buildpacks follows it, and it follows that';
CALL skypanel.add_rule('public.paas_stacks', 'buildpacks', 'skypanel.are_words(buildpacks, 64)');
CALL skypanel.add_rule('public.paas_stacks', 'builder_image', 'skypanel.is_image(builder_image)', 'paas_stacks_builder_image_form');
CALL skypanel.add_rule('public.paas_stacks', 'run_image', 'skypanel.is_image(run_image)', 'paas_stacks_run_image_form');
UPDATE public.paas_stacks s SET buildpacks = o.slugs
  FROM (SELECT x.stack_id, array_agg(b.slug ORDER BY x.order_index) AS slugs
          FROM public.paas_stack_buildpacks x JOIN public.paas_buildpacks b ON b.id = x.buildpack_id GROUP BY x.stack_id) o
 WHERE o.stack_id = s.id AND s.buildpacks <> o.slugs;

ALTER TABLE public.paas_stack_buildpacks DROP CONSTRAINT IF EXISTS paas_stack_buildpacks_buildpack_id_fkey;
ALTER TABLE public.paas_stack_buildpacks ADD CONSTRAINT paas_stack_buildpacks_buildpack_id_fkey FOREIGN KEY (buildpack_id)
    REFERENCES public.paas_buildpacks (id) ON DELETE RESTRICT;

CREATE OR REPLACE FUNCTION skypanel.order_buildpacks() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    unknown text;
BEGIN
    IF NEW.buildpacks = coalesce((SELECT array_agg(b.slug ORDER BY x.order_index) FROM public.paas_stack_buildpacks x
                                    JOIN public.paas_buildpacks b ON b.id = x.buildpack_id WHERE x.stack_id = NEW.id), '{}') THEN
        RETURN NULL;
    END IF;
    SELECT string_agg(u.slug, ', ' ORDER BY u.slug) INTO unknown FROM unnest(NEW.buildpacks) AS u(slug)
     WHERE NOT EXISTS (SELECT FROM public.paas_buildpacks b WHERE b.slug = u.slug);
    IF unknown IS NOT NULL OR cardinality(NEW.buildpacks) <> (SELECT count(DISTINCT u.slug) FROM unnest(NEW.buildpacks) AS u(slug)) THEN
        RAISE EXCEPTION 'there is no buildpack %', coalesce(unknown, 'twice in one stack')
            USING ERRCODE = 'check_violation', CONSTRAINT = 'paas_stacks_buildpacks_known', SCHEMA = 'public', TABLE = 'paas_stacks';
    END IF;
    PERFORM set_config('skypanel.orders_buildpacks', 'on', true);
    DELETE FROM public.paas_stack_buildpacks WHERE stack_id = NEW.id;
    INSERT INTO public.paas_stack_buildpacks (stack_id, buildpack_id, order_index)
    SELECT NEW.id, b.id, u.place - 1 FROM unnest(NEW.buildpacks) WITH ORDINALITY AS u(slug, place) JOIN public.paas_buildpacks b ON b.slug = u.slug;
    PERFORM set_config('skypanel.orders_buildpacks', '', true);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION skypanel.order_buildpacks IS 'Has paas_stack_buildpacks be the order that a stack says.';
CREATE OR REPLACE TRIGGER paas_stacks_order AFTER INSERT OR UPDATE OF buildpacks ON public.paas_stacks FOR EACH ROW EXECUTE FUNCTION skypanel.order_buildpacks();

CREATE OR REPLACE FUNCTION skypanel.buildpacks_ordered() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF current_setting('skypanel.orders_buildpacks', true) = 'on' THEN
        RETURN NULL; -- which follows the stack
    END IF;
    UPDATE public.paas_stacks s SET buildpacks = w.slugs
      FROM (SELECT t.id, coalesce((SELECT array_agg(b.slug ORDER BY x.order_index) FROM public.paas_stack_buildpacks x
                                     JOIN public.paas_buildpacks b ON b.id = x.buildpack_id WHERE x.stack_id = t.id), '{}') AS slugs
              FROM public.paas_stacks t
             WHERE t.id = CASE WHEN TG_OP <> 'INSERT' THEN OLD.stack_id END OR t.id = CASE WHEN TG_OP <> 'DELETE' THEN NEW.stack_id END) w
     WHERE s.id = w.id AND s.buildpacks <> w.slugs;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION skypanel.buildpacks_ordered IS 'Has a stack say the order that paas_stack_buildpacks is.';
CREATE OR REPLACE TRIGGER paas_stack_buildpacks_order AFTER INSERT OR UPDATE OR DELETE ON public.paas_stack_buildpacks
    FOR EACH ROW EXECUTE FUNCTION skypanel.buildpacks_ordered();

CREATE OR REPLACE FUNCTION skypanel.buildpack_renamed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE public.paas_stacks SET buildpacks = array_replace(buildpacks, OLD.slug, NEW.slug) WHERE OLD.slug = ANY (buildpacks);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION skypanel.buildpack_renamed IS 'Stacks go on with a buildpack that has another slug.';
CREATE OR REPLACE TRIGGER paas_buildpacks_renamed AFTER UPDATE OF slug ON public.paas_buildpacks FOR EACH ROW
    WHEN (OLD.slug IS DISTINCT FROM NEW.slug) EXECUTE FUNCTION skypanel.buildpack_renamed();

-- A template is called by one word, too; what it was called otherwise is its title. It says how the app runs, and which processes it has.

ALTER TABLE public.paas_templates ADD COLUMN IF NOT EXISTS title text;
ALTER TABLE public.paas_templates ADD COLUMN IF NOT EXISTS environment jsonb NOT NULL DEFAULT '{}';
ALTER TABLE public.paas_templates ADD COLUMN IF NOT EXISTS processes jsonb NOT NULL DEFAULT '{}';
UPDATE public.paas_templates t SET title = coalesce(t.title, t.name), name = w.slug || CASE WHEN w.number > 1 OR w.taken THEN '-' || left(t.id::text, 8) ELSE '' END
  FROM (SELECT id, v.slug, row_number() OVER (PARTITION BY v.slug ORDER BY created_at, id) AS number,
               EXISTS (SELECT FROM public.paas_templates o WHERE o.name = v.slug) AS taken
          FROM public.paas_templates CROSS JOIN LATERAL (SELECT rtrim(left(skypanel.slug_of(name, id), 54), '-') AS slug) v
         WHERE NOT skypanel.is_slug(name)) w
 WHERE w.id = t.id;
COMMENT ON COLUMN public.paas_templates.title IS 'spec: what people call it; NULL: its name';
COMMENT ON COLUMN public.paas_templates.environment IS 'spec: how the app runs: fields of an environment''s spec, as YAML names them';
COMMENT ON COLUMN public.paas_templates.processes IS 'spec: by type, fields of a process''s spec, as YAML names them';
COMMENT ON COLUMN public.paas_templates.default_env IS 'spec: config vars by name: a value for everybody to see, or what is asked for, or made, when it is deployed; no secrets';
CALL skypanel.add_rule('public.paas_templates', 'name', 'skypanel.is_slug(name)', 'paas_templates_name_form');
CALL skypanel.add_rule('public.paas_templates', 'image_ref', 'skypanel.is_image(image_ref)', 'paas_templates_image_ref_form');
CALL skypanel.add_rule('public.paas_templates', 'environment', 'jsonb_typeof(environment) = ''object'' AND skypanel.is_bounded_json(environment, 65536)');
CALL skypanel.add_rule('public.paas_templates', 'processes', 'jsonb_typeof(processes) = ''object'' AND skypanel.is_bounded_json(processes, 65536)');
CALL skypanel.bound_table('public.paas_buildpacks');
CALL skypanel.bound_table('public.paas_stacks');
CALL skypanel.bound_table('public.paas_templates');

CALL skypanel.declare_kind('buildpack', 'paas_buildpacks', name => 'slug');
CALL skypanel.declare_kind('stack', 'paas_stacks');
CALL skypanel.declare_kind('template', 'paas_templates');
REVOKE EXECUTE ON FUNCTION skypanel.name_buildpack, skypanel.order_buildpacks, skypanel.buildpacks_ordered, skypanel.buildpack_renamed FROM PUBLIC;
