-- Sessions of an API token are counted by themselves, so a token that is limited ends none of its person's; who ends all of his ends those of his tokens, too.

CREATE OR REPLACE FUNCTION skypanel.sessions_end(p_whose text) RETURNS text[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    one   text;
    ended text[] := '{}';
BEGIN
    FOR one IN DELETE FROM skypanel.api_sessions s
                WHERE s.whose = p_whose
                   OR s.token_hash IN (SELECT h FROM skypanel.api_tokens t, unnest(ARRAY[t.hash, t.previous_hash]) AS h WHERE t.user_id::text = p_whose)
            RETURNING s.id LOOP
        PERFORM skypanel.session_audited('deleted', one, 'ended: all of one person');
        ended := ended || one;
    END LOOP;
    RETURN ended;
END
$$;
COMMENT ON FUNCTION skypanel.sessions_end IS 'Ends all sessions of somebody, of a person those of his API tokens as well; their ids.';
