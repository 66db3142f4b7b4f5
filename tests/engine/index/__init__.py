"""A package index, as far as publishing goes, and the issuer of the identities by which it knows a trusted publisher."""
