-- Reports of images are bounded: in all, and in an hour. A login of skypanel_scanner that somebody has stolen must not fill the disk. What a
-- report may have is bounded by its row (0057): with all of them at their largest it is about a gigabyte, and usually some fifty megabytes.

CREATE INDEX IF NOT EXISTS caas_image_reports_made ON public.caas_image_reports (created_at);

CREATE OR REPLACE FUNCTION skypanel.report_image(
    p_digest text, p_digests text[], p_scanner text, p_reference text, p_scanned_at timestamptz, p_found integer[], p_fixable integer[]) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    most_in_all  CONSTANT integer := 100000;
    most_an_hour CONSTANT integer := 20000;
    wrong text;
    mend  text;
BEGIN
    IF p_scanned_at > now() + interval '1 hour' THEN
        RAISE EXCEPTION 'the report is from the future: %', p_scanned_at
            USING ERRCODE = 'check_violation', CONSTRAINT = 'caas_image_reports_scanned_at_past', TABLE = 'caas_image_reports', SCHEMA = 'public',
                  HINT = 'Set the clock of the machine that scans.';
    END IF;
    -- Another report of the same content takes its place. One of what an environment names is always taken: of those there are few.
    IF NOT EXISTS (SELECT FROM public.caas_image_reports r WHERE r.digest = p_digest)
       AND NOT EXISTS (SELECT FROM public.paas_image_facts f WHERE p_digest = ANY (f.digests) OR p_digest = split_part(f.pinned, '@', 2)) THEN
        IF (SELECT count(*) FROM (SELECT FROM public.caas_image_reports r WHERE r.created_at > now() - interval '1 hour' LIMIT most_an_hour) n) >= most_an_hour THEN
            wrong := format('reports of %s other images were handed in within an hour', most_an_hour);
            mend := 'Hand it in later. Where nobody meant so many, take the login of skypanel_scanner away.';
        ELSIF (SELECT count(*) FROM (SELECT FROM public.caas_image_reports LIMIT most_in_all) n) >= most_in_all THEN
            wrong := format('there are reports of %s images', most_in_all);
            mend := 'Old ones go after SKYPANEL_RETENTION_DAYS, where no environment names their images; DELETE those from caas_image_reports that nobody meant.';
        END IF;
    END IF;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION '%: no report of another one is taken', wrong
            USING ERRCODE = 'check_violation', CONSTRAINT = 'caas_image_reports_few', TABLE = 'caas_image_reports', SCHEMA = 'public', HINT = mend;
    END IF;
    IF cardinality(p_digests) > 64 OR length(p_reference) > 1024 OR length(p_scanner) > 64 THEN
        RAISE EXCEPTION 'the report names % digests, in all, an image of % characters and a scanner of %', cardinality(p_digests), length(p_reference), length(p_scanner)
            USING ERRCODE = 'check_violation', CONSTRAINT = 'caas_image_reports_small', TABLE = 'caas_image_reports', SCHEMA = 'public',
                  HINT = 'At most 64 digests, 1024 characters and 64 are kept.';
    END IF;
    INSERT INTO public.caas_image_reports AS r (digest, digests, scanner, reference, scanned_at, found, fixable)
    VALUES (p_digest, p_digests, p_scanner, p_reference, p_scanned_at, p_found, p_fixable)
    ON CONFLICT (digest) DO UPDATE
       SET digests = ARRAY(SELECT d FROM (SELECT d, min(place) AS place FROM unnest(EXCLUDED.digests || r.digests) WITH ORDINALITY AS u(d, place) GROUP BY d) s
                            ORDER BY place LIMIT 64),
           scanner = EXCLUDED.scanner, reference = EXCLUDED.reference, scanned_at = EXCLUDED.scanned_at, found = EXCLUDED.found, fixable = EXCLUDED.fixable
     WHERE r.scanned_at < EXCLUDED.scanned_at;
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION skypanel.report_image IS
    'Hands in a vulnerability report; whether it is newer than what is there. Names of the same content that reports before had stay. So many are taken in an hour, and in all.';

-- Who waits for reports, for those who look whether any come.
CREATE OR REPLACE VIEW skypanel.report_limits AS
    SELECT skypanel.slug_of(o.slug, o.id) AS organization, i.vulnerabilities AS limits
      FROM public.caas_image_policies i
      JOIN public.paas_organizations p ON p.organization_id = i.organization_id AND p.deleted_at IS NULL
      JOIN public.organizations o ON o.id = i.organization_id
     WHERE i.vulnerabilities IS NOT NULL;
COMMENT ON VIEW skypanel.report_limits IS 'Organizations whose image policy limits vulnerabilities, and how.';
