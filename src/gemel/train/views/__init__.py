"""How records vary without changing who they are, by modality; and identities made of others."""
