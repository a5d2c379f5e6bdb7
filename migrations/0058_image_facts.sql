-- What else is known of an image: the signal that it wants to be asked to stop with, and of a tag that is followed, where it came from and what
-- is in the way of where it is now.
-- One table that readers join already is locked in this file: paas_image_facts.

ALTER TABLE public.paas_image_facts
    ADD COLUMN IF NOT EXISTS stop_signal    text CONSTRAINT paas_image_facts_stop_signal_form CHECK (stop_signal ~ '^SIG[A-Z0-9+-]{2,13}$'),
    ADD COLUMN IF NOT EXISTS follow_from    text CONSTRAINT paas_image_facts_follow_from_bounded CHECK (length(follow_from) <= 1024),
    ADD COLUMN IF NOT EXISTS follow_reason  text CONSTRAINT paas_image_facts_follow_reason_bounded CHECK (length(follow_reason) <= 64),
    ADD COLUMN IF NOT EXISTS follow_message text CONSTRAINT paas_image_facts_follow_message_bounded CHECK (length(follow_message) <= 4096),
    ADD COLUMN IF NOT EXISTS follow_since   timestamptz;
COMMENT ON COLUMN public.paas_image_facts.stop_signal IS 'status: what the image wants to be asked to stop with; NULL: nothing else than usual, or it was looked up before that was';
COMMENT ON COLUMN public.paas_image_facts.follow_from IS 'status: the content that its tag, which is followed, meant before it moved; NULL: it has not';
COMMENT ON COLUMN public.paas_image_facts.follow_reason IS 'status: why what its tag means now is not run, in a word; NULL: it is, or nobody follows it';
COMMENT ON COLUMN public.paas_image_facts.follow_message IS 'status: why, in words';
COMMENT ON COLUMN public.paas_image_facts.follow_since IS 'status: since when that is so';
