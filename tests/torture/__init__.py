"""The whole gateway tortured: senders' books against the agency's. `make torture`; a short form is among the tests."""
