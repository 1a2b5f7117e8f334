"""Pictures and films in and out of files, and what is drawn of numbers."""
