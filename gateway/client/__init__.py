"""The provider's side: check, submit, follow, verify a receipt offline. Imports no server part."""
