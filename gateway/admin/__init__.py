"""What administrators may do, and the door at which they do it; the command line works by the same code."""
