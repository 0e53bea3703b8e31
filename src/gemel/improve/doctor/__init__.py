"""What ails a trained encoder, and which records may carry a wrong label."""
