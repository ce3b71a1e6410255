"""Tags for templates of other pages."""
