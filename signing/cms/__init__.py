"""CMS signatures (RFC 5652) and their CAdES form (EN 319 122-1): read by element, judged, in files and in PDF."""
