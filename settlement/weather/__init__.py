"""Weather of sites: asked for at a service, stored by the hour, added up."""
