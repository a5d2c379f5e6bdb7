-- Vulnerability reports of images; see controller/declared/scans.py.

-- name: put
SELECT skypanel.report_image(%(digest)s, %(digests)s::text[], %(scanner)s, %(reference)s, %(scanned_at)s, %(found)s::integer[], %(fixable)s::integer[])

-- name: asked_for
-- Whose image policies ask for reports, and how.
SELECT organization, limits FROM skypanel.report_limits ORDER BY organization

-- name: newest
-- When one was handed in last, and how long ago in days; NULL: none ever was.
SELECT max(updated_at), extract(epoch FROM now() - max(updated_at)) / 86400 FROM public.caas_image_reports

-- name: listed
SELECT digest, digests, scanner, scanned_at, found, fixable, reference
FROM public.caas_image_reports
WHERE %(digest)s = '' OR digests @> ARRAY[%(digest)s]
ORDER BY scanned_at DESC, digest LIMIT %(most)s
