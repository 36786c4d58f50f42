"""The register of certificates and keys: what there is, what becomes of it when, and by whose hand."""
