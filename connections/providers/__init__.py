"""Who the providers are: one folder each, discovered by walking the package."""
