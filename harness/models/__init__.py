"""Models: the catalog, recipes for synthetic weights, and what goes in and comes out."""
