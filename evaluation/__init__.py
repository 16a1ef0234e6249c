"""Run the product's own code over recorded data: parsing, recall, next actions, redaction. Run by hand."""
