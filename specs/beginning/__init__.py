"""A first spec from what a repository has: Procfile, Dockerfile, app.json. Pure."""
