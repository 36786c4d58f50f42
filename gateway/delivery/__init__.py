"""The second corridor, from the durable queue: one verb a file; every step may be repeated safely."""
