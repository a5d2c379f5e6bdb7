-- How the controller is; no row for who acts for an organization.
SELECT tripped_at, live_count, changes, oldest_change, behind, leading_since FROM skypanel.controller_state
