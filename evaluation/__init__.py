"""The product's own code over recorded data: what it would have read, recalled, foretold and masked. Run by hand."""
