"""Sources: repositories and folders are read here, and what their files say is declared for one organization."""
