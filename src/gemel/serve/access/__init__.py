"""Who may ask a service what: keys, their roles and how often they ask; certificates."""
