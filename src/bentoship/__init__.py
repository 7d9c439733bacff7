"""Seal a BentoML service into one release and deploy it anywhere."""
