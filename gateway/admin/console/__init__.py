"""The console: what /admin/v1 tells and does, as pages that need no script."""
