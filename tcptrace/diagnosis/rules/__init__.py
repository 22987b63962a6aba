"""One rule a file, named by its phenomenon; tcptrace.diagnosis.registry lists them."""
