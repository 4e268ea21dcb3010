"""One outside thing per file or folder; none imports another."""
