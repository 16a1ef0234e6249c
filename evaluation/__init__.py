"""Run the product's own code over recorded data: parsing, recall, next actions, redaction, learning. Run by hand."""
