"""Which test does what a page tells its readers to type, or compares what it shows.

By page and heading; below a heading that is not listed nothing may be typed or shown. Blocks of data need no entry:
specs, SQL, Python, TOML and settings are checked by what they are, in test_blocks.py and test_sql.py.
"""

from __future__ import annotations

CLAIMS = {
    ("README.md", "Two commands"): "tests/demo/test_demo.py",
    ("README.md", "Install"): "tests/install/test_install.py",
    ("README.md", "Then"): "tests/demo/test_demo.py",
    ("CONTRIBUTING.md", "Contributing"): "tests/docs/test_blocks.py",
    ("CONTRIBUTING.md", "Tests"): "tests/docs/test_blocks.py",
    ("docs/access.md", "Roles"): "tests/store/test_access_cli.py",
    ("docs/access.md", "API tokens"): "tests/store/test_access_cli.py",
    ("docs/access.md", "Tokens of an OpenID Connect issuer"): "tests/store/test_access_cli.py",
    ("docs/api.md", "Start it"): "tests/store/api/test_page.py",
    ("docs/api.md", "Read"): "tests/store/api/test_page.py",
    ("docs/api.md", "Follow"): "tests/store/api/test_page.py",
    ("docs/api.md", "Change"): "tests/store/api/test_page.py",
    ("docs/api.md", "Do something with it"): "tests/store/api/test_page.py",
    ("docs/api.md", "Config vars"): "tests/store/api/test_page.py",
    ("docs/api.md", "Passwords of registries"): "tests/store/api/test_page.py",
    ("docs/api.md", "API tokens"): "tests/store/api/test_page.py",
    ("docs/api.md", "Several objects"): "tests/store/api/test_page.py",
    ("docs/config.md", "Set, list, unset"): "tests/e2e/test_config.py",
    ("docs/extending.md", "4. The scenario"): "tests/sim/test_example.py",
    ("docs/extending.md", "Use it"): "tests/e2e/test_extending.py",
    ("docs/compose.md", "Example"): "tests/unit/cli/test_importing.py",
    ("docs/gitops.md", "Sources"): "tests/store/test_sources_page.py",
    ("docs/gitops.md", "Statuses of commits"): "tests/store/test_sources_page.py",
    ("docs/gitops.md", "Webhooks"): "tests/store/test_sources_page.py",
    ("docs/gitops.md", "Encrypted files"): "tests/store/test_sources_page.py",
    ("docs/operations.md", "Backup and restore"): "tests/docs/test_sql.py",
    ("docs/operations.md", "Install"): "tests/install/test_install.py",
    ("docs/operations.md", "In a container"): "tests/install/test_install.py",
    ("docs/operations.md", "Stop and remove"): "tests/install/test_install.py",
    ("docs/operations.md", "Vulnerability reports"): "tests/store/test_image_reports.py",
    ("docs/paas-caas-setup.md", "The program"): "tests/install/test_install.py",
    ("docs/paas-caas-setup.md", "1. Engine and user namespaces"): "tests/install/test_install.py",
    ("docs/paas-caas-setup.md", "2. Swarm"): "tests/install/test_install.py",
    ("docs/paas-caas-setup.md", "3. The engine's API and the hosts"): "tests/install/test_install.py",
    ("docs/paas-caas-setup.md", "4. Edge"): "tests/install/test_install.py",
    ("docs/paas-caas-setup.md", "7. Settings, database and controller"): "tests/install/test_install.py",
    ("docs/paas-caas-setup.md", "8. The first app, and the first container"): "tests/install/test_install.py",
    ("docs/client.md", "Log in"): "tests/store/api/test_client_page.py",
    ("docs/client.md", "Each task, as a command and with curl"): "tests/store/api/test_client_page.py",
    ("docs/reference/cli.md", "Output"): "tests/store/test_everyday_cli.py",
    ("docs/reference/cli.md", "plan"): "tests/demo/test_demo.py",
    ("docs/reference/cli.md", "trace"): "tests/demo/test_demo.py",
    ("docs/reference/schema.md", "Database schema"): "tests/docs/test_sql.py",
    ("docs/reference/specs.md", "Files"): "tests/docs/test_blocks.py",
}
