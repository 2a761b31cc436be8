"""Documents made of the contracts and the services' manifests, so that they cannot be wrong."""
