"""The nouns of the house: identifiers, status words, findings, the filing itself. Standard library only."""
