-- A source may be the first thing that is declared of an organization: its row of ours comes with it, as with a first app.

CREATE OR REPLACE FUNCTION skypanel.prepare_source() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO public.paas_organizations (organization_id) VALUES (NEW.organization_id) ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION skypanel.prepare_source IS 'Makes the organization''s row with its first source.';
REVOKE EXECUTE ON FUNCTION skypanel.prepare_source FROM PUBLIC;
CREATE OR REPLACE TRIGGER paas_sources_prepare AFTER INSERT ON public.paas_sources FOR EACH ROW EXECUTE FUNCTION skypanel.prepare_source();
INSERT INTO public.paas_organizations (organization_id) SELECT DISTINCT s.organization_id FROM public.paas_sources s WHERE s.deleted_at IS NULL
ON CONFLICT DO NOTHING;
