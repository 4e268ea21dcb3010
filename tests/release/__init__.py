"""What a release must be before anyone installs it: `make release-check`."""
