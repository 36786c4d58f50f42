"""What people are warned of, and the channels by which: webhooks and mail."""
