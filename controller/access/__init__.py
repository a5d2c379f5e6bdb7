"""Who calls, and what he may do: roles and their permissions, API tokens, the panel's tokens."""
